//! UTF-7 (RFC 2152), as old mail has it.

use crate::decoder::base64_value;

/// Text from UTF-7. Bytes above 127 and broken surrogates become U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', [b'-', after @ ..]) => {
                out.push('+');
                rest = after;
            }
            (b'+', _) => rest = shifted(&mut out, after),
            (byte, _) if byte.is_ascii() => out.push(char::from(*byte)),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out
}

/// Decodes one run of base64 in UTF-16, and gives what follows it.
fn shifted<'a>(out: &mut String, bytes: &'a [u8]) -> &'a [u8] {
    let len = bytes
        .iter()
        .take_while(|&&b| base64_value(b).is_some())
        .count();
    let (run, rest) = bytes.split_at(len);
    let (mut bits, mut count) = (0u32, 0);
    let mut units = Vec::with_capacity(len * 3 / 8 + 1);
    for value in run.iter().filter_map(|&b| base64_value(b)) {
        bits = (bits << 6 | u32::from(value)) & 0x3f_ffff;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count & 0xffff) as u16);
        }
    }
    out.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    rest.strip_prefix(b"-").unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn utf7_is_decoded() {
        // The examples of RFC 2152 §3.
        assert_eq!(decode(b"A+ImIDkQ."), "A\u{2262}\u{391}.");
        assert_eq!(decode(b"Hi Mom -+Jjo--!"), "Hi Mom -\u{263a}-!");
        assert_eq!(decode(b"+ZeVnLIqe-"), "\u{65e5}\u{672c}\u{8a9e}");
        assert_eq!(decode(b"Item 3 is +AKM-1."), "Item 3 is \u{a3}1.");
        assert_eq!(decode(b"1 +- 1"), "1 + 1");
        assert_eq!(decode(b"+2D3eCg-"), "\u{1f60a}");
        assert_eq!(decode(b"+2D0-x\xff+"), "\u{fffd}x\u{fffd}");
    }
}
