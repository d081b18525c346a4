//! What applying changed, for people.

use super::perform::{Done, Outcome};

/// Lines that a comparison holds in memory at once; of more, all of the
/// changed stretch is shown.
const MAX_CELLS: usize = 1 << 22;

/// The lines that say what became of everything that is not as it was.
pub(in crate::commands) fn changes(outcomes: &[Outcome]) -> Vec<String> {
    let mut lines = Vec::new();
    for outcome in outcomes {
        match &outcome.done {
            Done::Created => lines.push(format!("+ {} ({})", outcome.path, outcome.kind)),
            Done::Updated { before, after } => {
                lines.push(format!("~ {} ({})", outcome.path, outcome.kind));
                lines.extend(difference(before, after));
            }
            Done::Removed => lines.push(format!("- {} ({})", outcome.path, outcome.kind)),
            Done::Unchanged => {}
        }
    }
    lines
}

/// The lines that differ between two texts, `-` before and `+` since.
fn difference(before: &str, after: &str) -> Vec<String> {
    let before: Vec<&str> = before.lines().collect();
    let after: Vec<&str> = after.lines().collect();
    let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[same..], &after[same..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    let before = &before[..before.len() - tail];
    let after = &after[..after.len() - tail];
    let removed = |line: &&str| format!("    - {}", line.trim_end());
    let added = |line: &&str| format!("    + {}", line.trim_end());
    if before.len() * after.len() > MAX_CELLS {
        return before.iter().map(removed).chain(after.iter().map(added)).collect();
    }
    // The longest common subsequence, by lengths of what follows.
    let width = after.len() + 1;
    let mut common = vec![0_u32; (before.len() + 1) * width];
    for a in (0..before.len()).rev() {
        for b in (0..after.len()).rev() {
            common[a * width + b] = if before[a] == after[b] {
                common[(a + 1) * width + b + 1] + 1
            } else {
                common[(a + 1) * width + b].max(common[a * width + b + 1])
            };
        }
    }
    let mut lines = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < before.len() || b < after.len() {
        if a < before.len() && b < after.len() && before[a] == after[b] {
            (a, b) = (a + 1, b + 1);
        } else if b == after.len()
            || (a < before.len() && common[(a + 1) * width + b] >= common[a * width + b + 1])
        {
            lines.push(removed(&before[a]));
            a += 1;
        } else {
            lines.push(added(&after[b]));
            b += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        let shown = difference("{\n  a\n  b\n  c\n}\n", "{\n  a\n  x\n  c\n  d\n}\n");
        assert_eq!(shown, ["    -   b", "    +   x", "    +   d"]);
        assert!(difference("a\nb\n", "a\nb\n").is_empty());
    }
}
