//! RFC 5322 and MIME for an IMAP server: structure, envelope, sections, decoding, search text.
//!
//! Everything that IMAP tells of a message is worked out once, when the message arrives, as a
//! [`Digest`]; from then on [`DigestRef`] answers from stored bytes. Only SEARCH and BINARY look
//! into the message again.
//!
//! ENVELOPE and BODYSTRUCTURE say what the message says: encoded words, parameters and the case of
//! letters are left as written. What people read ([`decode_header`], [`text_contains`], sort keys,
//! previews) is decoded.
//!
//! Nothing here fails, panics or takes more than linear time, whatever the bytes: [`limit`] names
//! the bounds. There is no I/O and no clock.

mod address;
mod bodystructure;
mod charset;
mod comparator;
mod cursor;
pub mod date;
mod decoder;
mod digest;
mod encoding;
mod envelope;
mod fold;
mod header;
mod html;
pub mod limit;
mod media;
mod nstring;
mod parts;
mod preview;
mod recode;
mod scan;
mod search;
mod sort;
mod subject;
pub mod thread;
mod utf7;
mod words;

pub use charset::{decode as decode_charset, guess as guess_charset, is_known as is_known_charset};
pub use comparator::Comparator;
pub use decoder::Decoder;
pub use digest::{Digest, DigestRef, digest};
pub use encoding::{Encoding, decode_base64, decode_part, decode_quoted_printable};
pub use fold::fold;
pub use header::{Field, Fields, fields, header_fields, without_fields};
pub use parts::{PartIndex, PartRef, SectionText};
pub use recode::{Recoded, recode_binary};
pub use scan::{Kind, Part, Span, Structure, scan};
pub use search::{Needle, for_each_text, header_contains, text_contains};
pub use sort::{SortKeys, sort_keys_by};
pub use subject::base_subject;
pub use words::decode_header;
