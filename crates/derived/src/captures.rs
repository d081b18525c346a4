//! Texts that say with `$0`, `$1`, .. where what a wildcard stood for goes.
//!
//! Deliberately not here: what such a text is; see its users.

/// `text` with `$0` replaced by the first capture, and `$$` by a dollar; the
/// error is the number of a capture that there is not.
pub(crate) fn fill_in(text: &str, captures: &[String]) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let capture = after[..digits].parse::<usize>().ok().and_then(|at| captures.get(at));
        out.push_str(capture.ok_or_else(|| after[..digits].to_owned())?);
        rest = &after[digits..];
    }
    out.push_str(rest);
    Ok(out)
}
