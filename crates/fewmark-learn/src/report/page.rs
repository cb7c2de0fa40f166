//! What a page is made of.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fewmark_image::{Error as FileError, Image, encode_png, write_atomically};

use super::Chart;
use crate::Error;

/// A page with everything that it shows in one file.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    sections: Vec<Section>,
}

/// A part of a page under a heading. What is added to it is shown in that order. All texts are plain, none is HTML.
#[derive(Clone, Debug)]
pub struct Section {
    heading: String,
    /// HTML.
    body: String,
}

/// A PNG file in memory.
#[derive(Clone, Debug)]
pub struct Png(Vec<u8>);

impl Png {
    /// Reads a picture.
    ///
    /// # Errors
    /// [`Error::Image`] when the file cannot be read, [`Error::File`] when it is no PNG file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |source| FileError::Io { action: "read", path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(io)?;
        if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            let problem = "it does not begin as one".into();
            return Err(Error::File { path: path.to_owned(), expected: "PNG picture", problem });
        }
        Ok(Self(bytes))
    }

    /// The picture of a 2-D image of 1 or 3 channels.
    ///
    /// # Errors
    /// [`Error::Image`] when PNG cannot hold it.
    pub fn of(image: &Image) -> Result<Self, Error> {
        Ok(Self(encode_png(image)?))
    }

    fn html(&self, alternative: &str) -> String {
        let alternative = escaped(alternative);
        format!("<img alt=\"{alternative}\" src=\"data:image/png;base64,{}\">", BASE64.encode(&self.0))
    }
}

impl Page {
    /// A page with a title and nothing else.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), sections: Vec::new() }
    }

    /// Adds sections at the end.
    pub fn sections(mut self, sections: impl IntoIterator<Item = Section>) -> Self {
        self.sections.extend(sections);
        self
    }

    /// The whole file.
    pub fn html(&self) -> String {
        let title = escaped(&self.title);
        let sections: String = self.sections.iter().map(Section::html).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
             <h1>{title}</h1>\n{sections}</html>\n"
        )
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Image`] when it cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        Ok(write_atomically(path, self.html().as_bytes())?)
    }
}

impl Section {
    /// An empty section.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), body: String::new() }
    }

    /// Adds a paragraph.
    pub fn text(self, text: &str) -> Self {
        self.add(&format!("<p>{}</p>\n", escaped(text)))
    }

    /// Adds names and their values.
    pub fn settings<K: AsRef<str>, V: AsRef<str>>(self, settings: impl IntoIterator<Item = (K, V)>) -> Self {
        let line = |(name, value): (K, V)| {
            format!("<tr><th>{}</th><td>{}</td></tr>\n", escaped(name.as_ref()), escaped(value.as_ref()))
        };
        let lines: String = settings.into_iter().map(line).collect();
        self.add(&format!("<table class=\"settings\">\n{lines}</table>\n"))
    }

    /// Adds a table. Columns of figures are aligned to the right.
    pub fn table<R: AsRef<[C]>, C: AsRef<str>>(self, header: &[&str], rows: impl IntoIterator<Item = R>) -> Self {
        let rows: Vec<R> = rows.into_iter().collect();
        let cell = |row: &R, i: usize| row.as_ref().get(i).map_or(String::new(), |cell| cell.as_ref().to_owned());
        let class: Vec<&str> = (0..header.len())
            .map(|i| if rows.iter().all(|row| is_figure(&cell(row, i))) { " class=\"figure\"" } else { "" })
            .collect();
        let line = |tag: &str, cell: &dyn Fn(usize) -> String| {
            let cells: String =
                (0..header.len()).map(|i| format!("<{tag}{}>{}</{tag}>", class[i], escaped(&cell(i)))).collect();
            format!("<tr>{cells}</tr>\n")
        };
        let head = line("th", &|i| header[i].to_owned());
        let body: String = rows.iter().map(|row| line("td", &|i| cell(row, i))).collect();
        self.add(&format!("<div class=\"wide\"><table>\n{head}{body}</table></div>\n"))
    }

    /// Adds charts, side by side where there is room.
    pub fn charts(self, charts: impl IntoIterator<Item = Chart>) -> Self {
        let charts: String = charts.into_iter().map(|chart| chart.html()).collect();
        self.add(&format!("<div class=\"charts\">\n{charts}</div>\n"))
    }

    /// Adds pictures with their captions, side by side where there is room.
    pub fn pictures<C: AsRef<str>>(self, pictures: impl IntoIterator<Item = (Png, C)>) -> Self {
        let figures = figures(pictures);
        self.add(&format!("<div class=\"pictures\">\n{figures}</div>\n"))
    }

    /// Adds pictures in two columns, each with its caption: those of the first stay in sight while those of the second are looked through.
    pub fn beside<C: AsRef<str>>(
        self,
        first: impl IntoIterator<Item = (Png, C)>,
        second: impl IntoIterator<Item = (Png, C)>,
    ) -> Self {
        let (first, second) = (figures(first), figures(second));
        self.add(&format!("<div class=\"beside\">\n<div>\n{first}</div>\n<div>\n{second}</div>\n</div>\n"))
    }

    /// Adds the names of what is drawn in colours, red, green and blue.
    pub fn legend<N: AsRef<str>>(self, entries: impl IntoIterator<Item = (N, [u8; 3])>) -> Self {
        let entry = |(name, [r, g, b]): (N, [u8; 3])| {
            let name = escaped(name.as_ref());
            format!("<span><i style=\"background: rgb({r} {g} {b})\"></i>{name}</span>\n")
        };
        let entries: String = entries.into_iter().map(entry).collect();
        self.add(&format!("<p class=\"colors\">\n{entries}</p>\n"))
    }

    /// Adds pictures in rows and columns of names, a row with a picture or none for each column.
    pub fn grid(self, columns: &[String], rows: impl IntoIterator<Item = (String, Vec<Option<Png>>)>) -> Self {
        let head: String = columns.iter().map(|column| format!("<th>{}</th>", escaped(column))).collect();
        let row = |(name, pictures): (String, Vec<Option<Png>>)| {
            let cell = |(picture, column): (Option<Png>, &String)| {
                let picture = picture.map_or(String::new(), |picture| picture.html(&format!("{name}, {column}")));
                format!("<td>{picture}</td>")
            };
            let cells: String = pictures.into_iter().zip(columns).map(cell).collect();
            format!("<tr><th>{}</th>{cells}</tr>\n", escaped(&name))
        };
        let rows: String = rows.into_iter().map(row).collect();
        self.add(&format!(
            "<div class=\"wide\"><table class=\"shots\">\n<tr><td></td>{head}</tr>\n{rows}</table></div>\n"
        ))
    }

    fn add(mut self, html: &str) -> Self {
        self.body.push_str(html);
        self
    }

    fn html(&self) -> String {
        format!("<section>\n<h2>{}</h2>\n{}</section>\n", escaped(&self.heading), self.body)
    }
}

/// A text as HTML shows it, also within quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

/// Whether a cell has a number, perhaps with its unit or spread, or nothing.
fn is_figure(cell: &str) -> bool {
    let digits = cell.trim_start_matches(['-', '+', '−', '±', '<', '>', '.', ' ']);
    digits.is_empty() || digits.starts_with(|letter: char| letter.is_ascii_digit()) || ["NaN", "inf"].contains(&digits)
}

const STYLE: &str = include_str!("style.css");

fn figures<C: AsRef<str>>(pictures: impl IntoIterator<Item = (Png, C)>) -> String {
    let figure = |(picture, caption): (Png, C)| {
        let (picture, caption) = (picture.html(caption.as_ref()), escaped(caption.as_ref()));
        format!("<figure>{picture}<figcaption>{caption}</figcaption></figure>\n")
    };
    pictures.into_iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escaped("a < b && \"c\" > 'd' é"), "a &lt; b &amp;&amp; &quot;c&quot; &gt; &#39;d&#39; é");
        let evil = "<script>\"&'";
        let section = Section::new(evil)
            .text(evil)
            .settings([(evil, evil)])
            .table(&[evil], [[evil]])
            .charts([Chart::new(evil, evil, evil).line(evil, [[0.0, 1.0]]).line(evil, [[0.0, 1.0]])])
            .pictures([(Png(vec![1, 2, 3]), evil)])
            .grid(&[evil.to_owned()], [(evil.to_owned(), vec![Some(Png(vec![]))])]);
        let page = Page::new(evil).sections([section]).html();
        assert!(!page.contains("<script") && !page.contains("\"&'"));
        // Title and h1; heading, text, settings, table; title, label, two axes and two names of the chart; picture; grid.
        assert_eq!(page.matches("&lt;script&gt;&quot;&amp;&#39;").count(), 2 + 6 + 6 + 2 + 4);
    }

    #[test]
    fn columns_of_figures_are_aligned() {
        for figure in ["1", "-0.5", "12 ± 3", "95 %", "<0.001", "", "-", "NaN"] {
            assert!(is_figure(figure), "{figure}");
        }
        assert!(!is_figure("liver") && !is_figure("m1"));
        let body = Section::new("s").table(&["case", "Dice"], [["a", "0.9"], ["2", ""]]).body;
        assert!(body.contains("<th>case</th><th class=\"figure\">Dice</th>"), "{body}");
        assert!(body.contains("<td>2</td><td class=\"figure\"></td>"), "{body}");
    }

    #[test]
    fn pictures_are_in_the_page() {
        let body = Section::new("s").pictures([(Png(b"Man".to_vec()), "caption")]).body;
        assert!(body.contains("src=\"data:image/png;base64,TWFu\""), "{body}");
        let grid =
            Section::new("s").grid(&["1".into(), "2".into()], [("u".into(), vec![None, Some(Png(vec![0]))])]).body;
        assert!(grid.contains("<tr><th>u</th><td></td><td><img alt=\"u, 2\""), "{grid}");
    }

    #[test]
    fn other_files_are_no_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, "GIF89a").unwrap();
        assert!(matches!(Png::read(&path), Err(Error::File { expected: "PNG picture", .. })));
        assert!(matches!(Png::read(folder.path().join("b.png")), Err(Error::Image(_))));
    }
}
