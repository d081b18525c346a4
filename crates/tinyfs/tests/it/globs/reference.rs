//! A matcher that tries everything: slow, short, and written from the
//! documentation alone.

/// Whether the pattern matches the path.
pub(super) fn matches(pattern: &str, path: &str, hidden: bool) -> bool {
    let split = |text: &str| -> Vec<Vec<char>> {
        let parts = text.split('/').filter(|part| !part.is_empty());
        parts.map(|part| part.chars().collect()).collect()
    };
    components(&split(pattern), &split(path), hidden)
}

fn components(pattern: &[Vec<char>], path: &[Vec<char>], hidden: bool) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    if first == &['*', '*'] {
        let least = usize::from(rest.is_empty());
        return (least..=path.len()).any(|taken| {
            let seen = |name: &Vec<char>| hidden || name[0] != '.';
            path[..taken].iter().all(seen) && components(rest, &path[taken..], hidden)
        });
    }
    let Some((name, below)) = path.split_first() else { return false };
    let explicit = !hidden && name[0] == '.';
    component(first, name, explicit) && components(rest, below, hidden)
}

/// Whether a component matches a name; with `explicit`, the name's first
/// character must be matched by one that stands for itself.
fn component(pattern: &[char], name: &[char], explicit: bool) -> bool {
    let Some(&first) = pattern.first() else { return name.is_empty() };
    let one = |rest: &[char], good: bool| {
        !explicit && !name.is_empty() && good && component(rest, &name[1..], false)
    };
    match first {
        '*' => {
            !explicit
                && (0..=name.len()).any(|taken| component(&pattern[1..], &name[taken..], false))
        }
        '?' => one(&pattern[1..], true),
        '[' => {
            let close = 2 + pattern[2..].iter().position(|c| *c == ']').unwrap();
            let close = if pattern[1] == '!' && close == 2 {
                3 + pattern[3..].iter().position(|c| *c == ']').unwrap()
            } else {
                close
            };
            let (negated, set) = match pattern[1] {
                '!' => (true, &pattern[2..close]),
                _ => (false, &pattern[1..close]),
            };
            let good = name.first().is_some_and(|c| set.contains(c) != negated);
            one(&pattern[close + 1..], good)
        }
        '{' => {
            let close = pattern.iter().position(|c| *c == '}').unwrap();
            let rest = &pattern[close + 1..];
            pattern[1..close].split(|c| *c == ',').any(|choice| {
                let whole: Vec<char> = choice.iter().chain(rest).copied().collect();
                component(&whole, name, explicit)
            })
        }
        '\\' => name.first() == pattern.get(1) && component(&pattern[2..], &name[1..], false),
        literal => name.first() == Some(&literal) && component(&pattern[1..], &name[1..], false),
    }
}
