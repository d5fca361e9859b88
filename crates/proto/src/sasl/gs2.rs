//! The header that SCRAM and OAUTHBEARER messages begin with (RFC 5801 §4), and names in them.

/// What a client says about channel binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flag<'m> {
    /// `n`: it can't do it.
    Unsupported,
    /// `y`: it could, and believes that the server can't.
    NotOffered,
    /// `p=`: it does, with this type of binding.
    Used(&'m str),
}

/// ```abnf
/// gs2-header  = gs2-cbind-flag "," [ "a=" saslname ] ","
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header<'m> {
    /// About channel binding.
    pub(super) flag: Flag<'m>,
    /// Whom the client wants to act as; empty for itself.
    pub(super) authorization: String,
    /// The header as it was written.
    pub(super) raw: &'m str,
    /// What follows it.
    pub(super) rest: &'m str,
}

impl<'m> Header<'m> {
    /// Reads the header that `message` begins with. `F,`, for mechanisms outside of GSS-API, is none
    /// that may come here.
    pub(super) fn parse(message: &'m str) -> Option<Self> {
        let (flag, rest) = message.split_once(',')?;
        let flag = match flag {
            "n" => Flag::Unsupported,
            "y" => Flag::NotOffered,
            _ => Flag::Used(flag.strip_prefix("p=").filter(|name| is_binding(name))?),
        };
        let (authorization, rest) = rest.split_once(',')?;
        let authorization = match authorization {
            "" => String::new(),
            named => name(named.strip_prefix("a=")?)?,
        };
        let raw = message.get(..message.len() - rest.len())?;
        Some(Self {
            flag,
            authorization,
            raw,
            rest,
        })
    }
}

/// ```abnf
/// cb-name = 1*(ALPHA / DIGIT / "." / "-")
/// ```
fn is_binding(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    !name.is_empty() && name.bytes().all(fits)
}

/// A `saslname`: at least one character; `,` is written `=2C` and `=` is written `=3D`, and no
/// other `=` may be in it (RFC 5802 §5.1).
pub(super) fn name(text: &str) -> Option<String> {
    if text.is_empty() || text.contains('\0') {
        return None;
    }
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (character, rest) = match piece.get(..2)? {
            "2C" => (',', piece.get(2..)?),
            "3D" => ('=', piece.get(2..)?),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let header = Header::parse("n,a=a=2Cb=3Dc,n=user").unwrap();
        assert_eq!(header.flag, Flag::Unsupported);
        assert_eq!(header.authorization, "a,b=c");
        assert_eq!((header.raw, header.rest), ("n,a=a=2Cb=3Dc,", "n=user"));
        let header = Header::parse("p=tls-exporter,,n=user").unwrap();
        assert_eq!(header.flag, Flag::Used("tls-exporter"));
        assert_eq!(Header::parse("y,,").unwrap().flag, Flag::NotOffered);
    }

    #[test]
    fn what_is_no_header() {
        for message in [
            "",
            "n",
            "n,",
            "n,a,",
            "n,a=,",
            "n,b=x,",
            "F,n,,",
            "p=,,",
            "p=a b,,",
            "N,,",
            "z,,",
            "n,a=\0,",
            "n,a=a=2c,",
            "n,a=a=,",
            "n,a=a=3,",
        ] {
            assert_eq!(Header::parse(message), None, "{message:?}");
        }
    }
}
