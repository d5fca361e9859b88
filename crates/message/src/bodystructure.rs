//! BODYSTRUCTURE and its short form BODY (RFC 9051 §7.5.2): the structure, in the message's own
//! words.

use std::borrow::Cow;

use crate::cursor::{Cursor, trim};
use crate::envelope::push_envelope;
use crate::header::Known;
use crate::media::{Media, Param, Params, is_token, joined, parse_disposition};
use crate::nstring::{push_nstring, push_number, push_string};
use crate::scan::{Kind, Part, Structure};

/// Which of the two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// BODY: without extension data.
    Basic,
    /// BODYSTRUCTURE: all extension data, of every part.
    Extended,
}

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// IMAP4rev1: parameters are as written, and a message/global is a part as any other.
    Rev1,
    /// IMAP4rev2: parameters are decoded (RFC 2231), and a message/global is told as a
    /// message/rfc822 is (RFC 9051 §7.5.2).
    Rev2,
}

/// Whether the two revisions say different things of the message.
pub(crate) fn differs(message: &[u8], structure: &Structure) -> bool {
    structure.parts().iter().any(|part| {
        let starred = |known| {
            let value = structure.field(message, part, known).unwrap_or_default();
            value.contains(&b'*')
        };
        starred(Known::ContentType)
            || starred(Known::ContentDisposition)
            || is_global(structure.media(message, part).as_ref())
    })
}

fn is_global(media: Option<&Media<'_>>) -> bool {
    media.is_some_and(|media| media.is(b"message", b"global"))
}

/// Appends the structure of the part `index` and all that is within it.
///
/// Types, parameters and other values are as written, for [`Revision::Rev1`] RFC 2231 segments singly;
/// only a text without a character set is told as US-ASCII, which is what it means (RFC 2046 §4.1.2).
pub(crate) fn push_structure(
    out: &mut Vec<u8>,
    message: &[u8],
    structure: &Structure,
    index: usize,
    form: Form,
    revision: Revision,
) {
    // Bounded recursion: the scanner opens at most `limit::MAX_DEPTH` containers.
    let Some(part) = structure.parts().get(index) else {
        return;
    };
    let writer = Writer {
        message,
        structure,
        part,
        form,
        revision,
    };
    out.push(b'(');
    if part.kind == Kind::Multipart {
        for child in structure.children(index) {
            push_structure(out, message, structure, child, form, revision);
        }
        writer.push_multipart(out);
    } else {
        writer.push_fields(out);
        if writer.opens_message()
            && let Some(inner) = structure.parts().get(index + 1)
        {
            out.push(b' ');
            push_envelope(out, message, structure, inner);
            out.push(b' ');
            push_structure(out, message, structure, index + 1, form, revision);
        }
        writer.push_lines_and_extension(out);
    }
    out.push(b')');
}

/// What is written of one part.
struct Writer<'a> {
    message: &'a [u8],
    structure: &'a Structure,
    part: &'a Part,
    form: Form,
    revision: Revision,
}

impl<'a> Writer<'a> {
    /// Whether it is told as a message with an envelope and a body.
    fn opens_message(&self) -> bool {
        self.part.kind == Kind::Message
            && (self.revision == Revision::Rev2 || !is_global(self.media().as_ref()))
    }

    /// `body-fld-param`
    fn push_params(&self, out: &mut Vec<u8>, params: Params<'a>) {
        match self.revision {
            Revision::Rev1 => push_params(out, params),
            Revision::Rev2 => push_params(out, joined(params).into_iter()),
        }
    }

    fn field(&self, known: Known) -> Option<&'a [u8]> {
        self.structure
            .field(self.message, self.part, known)
            .map(trim)
    }

    fn media(&self) -> Option<Media<'a>> {
        self.structure.media(self.message, self.part)
    }

    /// `1*body SP media-subtype [SP body-ext-mpart]`, after the children.
    fn push_multipart(&self, out: &mut Vec<u8>) {
        let media = self.media();
        out.push(b' ');
        push_string(out, media.as_ref().map_or(b"mixed", |media| media.subtype));
        if self.form == Form::Extended {
            out.push(b' ');
            match media {
                Some(media) => self.push_params(out, media.params),
                None => out.extend_from_slice(b"NIL"),
            }
            self.push_common_extension(out);
        }
    }

    /// `media-type body-fields`
    fn push_fields(&self, out: &mut Vec<u8>) {
        match (self.media(), self.part.kind) {
            (Some(media), kind) => {
                push_string(out, media.kind);
                out.push(b' ');
                push_string(out, media.subtype);
                out.push(b' ');
                let meant = kind == Kind::Text && !has_charset(media.params.clone());
                if meant {
                    let us_ascii: Param<'_> = (b"charset", Cow::Borrowed(b"us-ascii"));
                    let mut params = match self.revision {
                        Revision::Rev1 => media.params.collect(),
                        Revision::Rev2 => joined(media.params),
                    };
                    params.push(us_ascii);
                    push_params(out, params.into_iter());
                } else {
                    self.push_params(out, media.params);
                }
            }
            (None, Kind::Message) => out.extend_from_slice(b"\"message\" \"rfc822\" NIL"),
            (None, _) => {
                out.extend_from_slice(b"\"text\" \"plain\" (\"charset\" \"us-ascii\")");
            }
        }
        for known in [Known::ContentId, Known::ContentDescription] {
            out.push(b' ');
            push_nstring(out, self.field(known));
        }
        out.push(b' ');
        push_string(out, self.encoding());
        out.push(b' ');
        push_number(out, self.part.body.len());
    }

    /// The encoding's name as written, `7bit` if there is none.
    fn encoding(&self) -> &'a [u8] {
        let mut at = Cursor::new(
            self.field(Known::ContentTransferEncoding)
                .unwrap_or_default(),
        );
        at.skip_cfws();
        match at.run(is_token) {
            b"" => b"7bit",
            name => name,
        }
    }

    /// `SP body-fld-lines` where the type has it, and `[SP body-ext-1part]`
    fn push_lines_and_extension(&self, out: &mut Vec<u8>) {
        if self.part.kind == Kind::Text || self.opens_message() {
            out.push(b' ');
            push_number(out, self.part.lines);
        }
        if self.form == Form::Extended {
            out.push(b' ');
            push_nstring(out, self.field(Known::ContentMd5));
            self.push_common_extension(out);
        }
    }

    /// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
    fn push_common_extension(&self, out: &mut Vec<u8>) {
        out.push(b' ');
        match self
            .field(Known::ContentDisposition)
            .and_then(parse_disposition)
        {
            Some((kind, params)) => {
                out.push(b'(');
                push_string(out, kind);
                out.push(b' ');
                self.push_params(out, params);
                out.push(b')');
            }
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        push_languages(out, self.field(Known::ContentLanguage).unwrap_or_default());
        out.push(b' ');
        push_nstring(out, self.field(Known::ContentLocation));
    }
}

fn has_charset(mut params: Params<'_>) -> bool {
    // `charset*` and `charset*0` say it as well (RFC 2231).
    params.any(|(name, _)| {
        let name = name.split(|&b| b == b'*').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"charset")
    })
}

/// `body-fld-param`: never an empty list.
fn push_params<'a>(out: &mut Vec<u8>, params: impl Iterator<Item = Param<'a>>) {
    let start = out.len();
    for (name, value) in params {
        out.push(if out.len() == start { b'(' } else { b' ' });
        push_string(out, name);
        out.push(b' ');
        push_string(out, &value);
    }
    out.extend_from_slice(if out.len() == start { b"NIL" } else { b")" });
}

/// `body-fld-lang`: NIL, or the tags of Content-Language (RFC 3282) as a list.
fn push_languages(out: &mut Vec<u8>, value: &[u8]) {
    let start = out.len();
    let mut at = Cursor::new(value);
    loop {
        at.skip_cfws();
        let tag = at.run(is_token);
        if !tag.is_empty() {
            out.push(if out.len() == start { b'(' } else { b' ' });
            push_string(out, tag);
        } else if at.peek().is_some() {
            at.skip(1);
        } else {
            break;
        }
    }
    out.extend_from_slice(if out.len() == start { b"NIL" } else { b")" });
}
