def tell(story):
    raise Exception("none")
