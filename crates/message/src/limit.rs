//! The bounds on what a message can make us do, each with its reason.
//!
//! Beyond a bound nothing fails: the surplus is left where it stands, as plain bytes of the part it
//! is in.

/// Body parts in one message. Ten times what the worst digests in real mail hold; at some 50 bytes
/// of index each, a full message costs 500 KiB. A multipart in which no part was found gets one
/// more.
pub const MAX_PARTS: usize = 10_000;

/// Containers (multipart, message/rfc822) within one another. Real mail stays below 20; clients
/// parse BODYSTRUCTURE by recursion and would run out of stack first.
pub const MAX_DEPTH: usize = 100;

/// Bytes of one header block that are looked into. The largest real headers are some 200 KiB.
pub const MAX_HEADER_BYTES: usize = 1 << 20;

/// Fields of one header block that are remembered among those we know. A sane header repeats none
/// of them; recipients may be spread over a few dozen.
pub const MAX_FIELDS: usize = 1_000;

/// Addresses told for one field of an ENVELOPE. A mailbox list that is longer is cut off: clients
/// show a handful, and each address costs some 60 bytes of response.
pub const MAX_ADDRESSES: usize = 4_096;

/// Parameters of one Content-Type or Content-Disposition, segments of RFC 2231 counted singly.
pub const MAX_PARAMS: usize = 256;

/// Message identifiers kept of References. Threads are linked by the nearest ancestors; of a longer
/// list the last ones count.
pub const MAX_REFERENCES: usize = 1_000;

/// Bytes of an encoded word with forbidden characters in it that are searched for its end. RFC 2047
/// §2 allows 75 in all.
pub const MAX_BROKEN_WORD_BYTES: usize = 256;

/// Bytes that go out as a quoted string; what is longer becomes a literal, since clients bound the
/// length of a line.
pub const MAX_QUOTED_BYTES: usize = 4_096;

/// Characters of a preview (RFC 8970 §3.1 allows 200).
pub const MAX_PREVIEW_CHARS: usize = 200;

/// Encoded bytes of a body that are decoded for its preview. Style sheets at the top of HTML mail
/// are seldom larger.
pub const MAX_PREVIEW_BYTES: usize = 64 << 10;

/// Bytes of text that decide how a message sorts by subject or by name; longer texts are cut off.
pub const MAX_SORT_BYTES: usize = 1_000;
