//! BODYSTRUCTURE and its short form BODY (RFC 9051 §7.5.2): the structure, in the message's own
//! words.

use std::borrow::Cow;

use crate::cursor::{Cursor, trim};
use crate::envelope::push_envelope;
use crate::header::Known;
use crate::media::{Media, Param, Params, is_token, parse_disposition};
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

/// Appends the structure of the part `index` and all that is within it.
///
/// Types, parameters (RFC 2231 segments singly) and other values are as written; only a text
/// without a character set is told as US-ASCII, which is what it means (RFC 2046 §4.1.2).
pub(crate) fn push_structure(
    out: &mut Vec<u8>,
    message: &[u8],
    structure: &Structure,
    index: usize,
    form: Form,
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
    };
    out.push(b'(');
    if part.kind == Kind::Multipart {
        for child in structure.children(index) {
            push_structure(out, message, structure, child, form);
        }
        writer.push_multipart(out);
    } else {
        writer.push_fields(out);
        if part.kind == Kind::Message
            && let Some(inner) = structure.parts().get(index + 1)
        {
            out.push(b' ');
            push_envelope(out, message, structure, inner);
            out.push(b' ');
            push_structure(out, message, structure, index + 1, form);
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
}

impl<'a> Writer<'a> {
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
            push_params(out, media.into_iter().flat_map(|media| media.params));
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
                let us_ascii: Param<'_> = (b"charset", Cow::Borrowed(b"us-ascii"));
                push_params(out, media.params.chain(meant.then_some(us_ascii)));
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
        if matches!(self.part.kind, Kind::Text | Kind::Message) {
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
                push_params(out, params);
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
