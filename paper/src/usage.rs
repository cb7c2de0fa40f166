//! What a program says of itself.

#![allow(clippy::print_stdout, reason = "programs that print their results")]

/// Prints the documentation at the head of a program's source where its arguments hold `--help` or `-h`, and says whether they do.
pub fn told(source: &str) -> bool {
    let asked = std::env::args().skip(1).any(|argument| argument == "--help" || argument == "-h");
    if asked {
        print!("{}", head(source));
    }
    asked
}

/// The comment at the head of a source, without the marks of a comment and of a block of code.
fn head(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let shown = lines.filter(|line| line.trim() != "```text" && line.trim() != "```");
    shown.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_source_ends_where_its_comment_does() {
        let source = "//! Tables.\n//!\n//! ```text\n//! tables [--print]\n//! ```\n\nfn main() {}\n//! not this\n";
        assert_eq!(head(source), "Tables.\n\ntables [--print]\n");
    }
}
