//! Header blocks: their fields, and the selection of fields a client asks for.

use memchr::memchr;

/// One field of a header block, as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, without white space before the colon (RFC 5322 §4.5 allows it).
    pub name: &'a [u8],
    /// What follows the colon, folding included, without the last line end.
    pub value: &'a [u8],
    /// The whole field, its line ends included.
    pub raw: &'a [u8],
    /// Offset of the value in the block.
    pub(crate) value_at: usize,
}

impl<'a> Field<'a> {
    /// True if this field has that name; case does not matter.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The fields of a header block in their order, until its blank line or its end.
///
/// Lines that are no field (no colon, or no name of printable ASCII before it) are passed over with
/// their continuation lines. Lines end with LF, whether or not a CR stands before it.
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields { rest: block, at: 0 }
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let start = self.rest;
            let first = line_len(start);
            let line = &start[..first];
            if matches!(line, b"" | b"\n" | b"\r\n") {
                return None;
            }
            let mut len = first;
            while matches!(start.get(len), Some(b' ' | b'\t')) {
                len += line_len(&start[len..]);
            }
            let (raw, rest) = start.split_at(len);
            let at = self.at;
            (self.rest, self.at) = (rest, at + len);
            if let Some((name, value_at)) = split_name(line) {
                let value = without_line_end(&raw[value_at..]);
                return Some(Field {
                    name,
                    value,
                    raw,
                    value_at: at + value_at,
                });
            }
        }
    }
}

/// The length of the first line, line end included.
pub(crate) fn line_len(bytes: &[u8]) -> usize {
    memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

pub(crate) fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// `field-name = 1*ftext`, with the obsolete white space before the colon: the name, and where the
/// value begins.
fn split_name(line: &[u8]) -> Option<(&[u8], usize)> {
    let end = line
        .iter()
        .position(|b| !b.is_ascii_graphic() || *b == b':')?;
    let space = line[end..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let colon = line.get(end + space) == Some(&b':');
    (end > 0 && colon).then(|| (&line[..end], end + space + 1))
}

/// A header block without the fields of that name; everything else stays as it is, byte for byte.
pub fn without_fields(block: &[u8], name: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(block.len());
    let mut from = 0;
    let mut fields = fields(block);
    while let Some(field) = fields.next() {
        if field.is(name) {
            kept.extend_from_slice(&block[from..fields.at - field.raw.len()]);
            from = fields.at;
        }
    }
    kept.extend_from_slice(&block[from..]);
    kept
}

/// True if the block holds at least one field.
pub(crate) fn has_field(block: &[u8]) -> bool {
    fields(block).next().is_some()
}

/// The fields of `header_block` that are among `names` (or, if not `keep_listed`, that are not):
/// HEADER.FIELDS and HEADER.FIELDS.NOT of RFC 9051 §6.4.5.1.
///
/// The bytes are the message's own, folding and case included, in its order, each as often as it is
/// there; a blank line follows always, also if nothing was selected.
pub fn header_fields(header_block: &[u8], names: &[&[u8]], keep_listed: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(header_block) {
        if names.iter().any(|name| field.is(name)) == keep_listed {
            out.extend_from_slice(field.raw);
            if !field.raw.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// The fields that structure, envelope and sort keys are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Date,
    Subject,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    InReplyTo,
    MessageId,
    References,
    ContentType,
    ContentTransferEncoding,
    ContentId,
    ContentDescription,
    ContentMd5,
    ContentDisposition,
    ContentLanguage,
    ContentLocation,
}

impl Known {
    /// True for the fields that say something in a part that is no message (RFC 2045 §3).
    pub(crate) fn is_mime(self) -> bool {
        self as u8 >= Self::ContentType as u8
    }

    pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
        let (word, known): (&[u8], Self) = match name.len() {
            2 if name[0] | 0x20 == b't' => (b"to", Self::To),
            2 => (b"cc", Self::Cc),
            3 => (b"bcc", Self::Bcc),
            4 if name[0] | 0x20 == b'd' => (b"date", Self::Date),
            4 => (b"from", Self::From),
            6 => (b"sender", Self::Sender),
            7 => (b"subject", Self::Subject),
            8 => (b"reply-to", Self::ReplyTo),
            10 if name[0] | 0x20 == b'm' => (b"message-id", Self::MessageId),
            10 if name[0] | 0x20 == b'r' => (b"references", Self::References),
            10 => (b"content-id", Self::ContentId),
            11 if name[0] | 0x20 == b'i' => (b"in-reply-to", Self::InReplyTo),
            11 => (b"content-md5", Self::ContentMd5),
            12 => (b"content-type", Self::ContentType),
            16 if name[9] | 0x20 == b'a' => (b"content-language", Self::ContentLanguage),
            16 => (b"content-location", Self::ContentLocation),
            19 if name[9] | 0x20 == b'e' => (b"content-description", Self::ContentDescription),
            19 => (b"content-disposition", Self::ContentDisposition),
            25 => (b"content-transfer-encoding", Self::ContentTransferEncoding),
            _ => return None,
        };
        name.eq_ignore_ascii_case(word).then_some(known)
    }
}
