//! The page: a title, an answer in plain words, warnings, a table of contents, sections made of
//! blocks, and chapters that are reports themselves.
//!
//! ```
//! use ldar::report::{Block, Report, Section};
//!
//! let page = Report {
//!     title: "Splice profile".into(),
//!     subtitle: "dm6 chr4".into(),
//!     answer: "Boundaries <do> fall on donors.".into(),
//!     sections: vec![Section { title: "Result".into(), blocks: vec![Block::Paragraph("…".into())] }],
//!     ..Report::default()
//! }
//! .to_html();
//! assert!(page.contains("Boundaries &lt;do&gt; fall on donors."));
//! ```

use super::block::{Block, Level, Writer};

/// The first thing in every page.
const SKIP: &str = "<a class=\"skip\" href=\"#content\">Skip to the results</a>";

/// Whether a text is a page of ours.
pub(super) fn is_page(text: &str) -> bool {
    text.starts_with("<!DOCTYPE html>\n<html lang=\"en\">\n") && text.contains(SKIP)
}

/// A whole report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Title of the page.
    pub title: String,
    /// What was analysed with what, in one line.
    pub subtitle: String,
    /// The answer in a sentence, with effect and p.
    pub headline: String,
    /// The answer in plain language, one paragraph.
    pub answer: String,
    /// The sections, in reading order.
    pub sections: Vec<Section>,
    /// Reports of which this one is made, after its own sections.
    pub chapters: Vec<Chapter>,
    /// Sections after the chapters.
    pub appendix: Vec<Section>,
}

/// A section with its heading; it appears in the table of contents.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// The content, in reading order.
    pub blocks: Vec<Block>,
}

/// A report inside another. Its first section is open, the others are folded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chapter {
    /// Where its files lie, relative to the page, with a `/` at its end.
    pub folder: String,
    /// The report; its own chapters are not shown.
    pub report: Report,
}

/// Text for HTML content and for quoted attributes. Characters HTML cannot hold become spaces.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl Report {
    /// The page: one HTML file that loads nothing and reads well on a phone, a screen, and paper.
    /// Its one script sorts and filters tables, enlarges figures and shows their values; without it
    /// nothing is missing but that.
    pub fn to_html(&self) -> String {
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"description\" content=\"{}\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
             {SKIP}\n<header>\n<h1>{}</h1>\n",
            escape(&self.headline),
            escape(&self.title),
            include_str!("page.css"),
            escape(&self.title),
        );
        page += &self.head("");
        page += &self.overview();
        page += "</header>\n";
        page += &self.contents();
        page += "<main id=\"content\">\n";
        let mut writer = Writer::default();
        page += &sections(&self.sections, "", &mut writer);
        for (number, chapter) in self.chapters.iter().enumerate() {
            page += &chapter.to_html(number + 1, &mut writer);
        }
        page += &sections(&self.appendix, "a-", &mut writer);
        page + "</main>\n<script>\n" + include_str!("page.js") + "</script>\n</body>\n</html>\n"
    }

    /// What stands under a title: what it is about, the answer, and where warnings are.
    fn head(&self, prefix: &str) -> String {
        let mut html = String::new();
        if !self.subtitle.is_empty() {
            html += &format!("<p class=\"subtitle\">{}</p>\n", escape(&self.subtitle));
        }
        let parts = [("strong", &self.headline), ("span", &self.answer)];
        let parts = parts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(tag, text)| format!("<{tag}>{}</{tag}>", escape(text)));
        let parts: Vec<String> = parts.collect();
        if !parts.is_empty() {
            html += &format!("<p class=\"answer\">{}</p>\n", parts.join(" "));
        }
        let warnings = self.sections.iter().map(|section| {
            let warns = |block: &&Block| {
                matches!(
                    block,
                    Block::Callout {
                        level: Level::Warning | Level::Problem,
                        ..
                    }
                )
            };
            section.blocks.iter().filter(warns).count()
        });
        let links: Vec<String> = (self
            .sections
            .iter()
            .zip(anchors(&self.sections, prefix))
            .zip(warnings.clone()))
        .filter(|(_, n)| *n > 0)
        .map(|((section, anchor), n)| {
            let times = if n > 1 {
                format!(" ({n})")
            } else {
                String::new()
            };
            format!(
                "<a href=\"#{anchor}\">{}</a>{times}",
                escape(&section.title)
            )
        })
        .collect();
        match warnings.sum() {
            0 => {}
            n => {
                let word = if n == 1 { "One warning" } else { "Warnings" };
                html += &format!(
                    "<p class=\"callout warning\" role=\"note\"><strong>{word}</strong> in: {}</p>\n",
                    links.join(", ")
                );
            }
        }
        html
    }

    /// The answers of all chapters, in a sentence each.
    fn overview(&self) -> String {
        let item = |(number, chapter): (usize, &Chapter)| {
            let report = &chapter.report;
            format!(
                "<li><a href=\"#c{}\">{}</a> <span class=\"subtitle\">{}</span><p>{}</p></li>\n",
                number + 1,
                escape(&report.title),
                escape(&report.subtitle),
                escape(&report.headline)
            )
        };
        let items: String = self.chapters.iter().enumerate().map(item).collect();
        if items.is_empty() {
            items
        } else {
            format!("<ol class=\"overview\">\n{items}</ol>\n")
        }
    }

    fn contents(&self) -> String {
        let link =
            |anchor: &str, title: &str| format!("<li><a href=\"#{anchor}\">{}</a>", escape(title));
        let own = self
            .sections
            .iter()
            .zip(anchors(&self.sections, ""))
            .map(|(section, anchor)| link(&anchor, &section.title) + "</li>\n");
        let mut items: String = own.collect();
        for (number, Chapter { report, .. }) in self.chapters.iter().enumerate() {
            let prefix = format!("c{}", number + 1);
            items += &link(&prefix, &report.title);
            let inner = report
                .sections
                .iter()
                .zip(anchors(&report.sections, &(prefix + "-")));
            let inner: String = inner
                .map(|(section, anchor)| link(&anchor, &section.title) + "</li>\n")
                .collect();
            items += &format!("\n<ol>\n{inner}</ol></li>\n");
        }
        let last = self
            .appendix
            .iter()
            .zip(anchors(&self.appendix, "a-"))
            .map(|(section, anchor)| link(&anchor, &section.title) + "</li>\n");
        items += &last.collect::<String>();
        if self.sections.len() + self.chapters.len() + self.appendix.len() < 2 {
            return String::new();
        }
        format!(
            "<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ol>\n{items}</ol>\n</nav>\n"
        )
    }
}

fn sections(sections: &[Section], prefix: &str, writer: &mut Writer) -> String {
    let mut html = String::new();
    for (section, anchor) in sections.iter().zip(anchors(sections, prefix)) {
        html += &format!(
            "<section aria-labelledby=\"{anchor}\">\n<h2 id=\"{anchor}\">{}</h2>\n",
            escape(&section.title)
        );
        html += &section
            .blocks
            .iter()
            .map(|block| writer.block(block))
            .collect::<String>();
        html += "</section>\n";
    }
    html
}

/// One anchor per section: its title in lower case letters and dashes, numbered where two would be
/// the same.
fn anchors(sections: &[Section], prefix: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for section in sections {
        let words: Vec<String> = section
            .title
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|w| !w.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        // The prefix keeps section anchors apart from the page's own ids and from those of figures
        // and tables.
        let base = format!("{prefix}s-{}", words.join("-"));
        let mut anchor = base.clone();
        let mut again = 2;
        while anchors.contains(&anchor) {
            anchor = format!("{base}-{again}");
            again += 1;
        }
        anchors.push(anchor);
    }
    anchors
}

impl Chapter {
    fn to_html(&self, number: usize, writer: &mut Writer) -> String {
        let report = &self.report;
        let prefix = format!("c{number}-");
        writer.folder.clone_from(&self.folder);
        let mut html = format!(
            "<section class=\"chapter\" aria-labelledby=\"c{number}\">\n<h2 id=\"c{number}\">{}</h2>\n",
            escape(&report.title)
        );
        html += &report.head(&prefix);
        for (i, (section, anchor)) in report
            .sections
            .iter()
            .zip(anchors(&report.sections, &prefix))
            .enumerate()
        {
            let blocks: String = section
                .blocks
                .iter()
                .map(|block| writer.block(block))
                .collect();
            let title = escape(&section.title);
            html += &match i {
                0 => format!("<h3 id=\"{anchor}\">{title}</h3>\n{blocks}"),
                _ => format!(
                    "<details class=\"more\" id=\"{anchor}\">\n<summary><h3>{title}</h3></summary>\n{blocks}</details>\n"
                ),
            };
        }
        writer.folder.clear();
        html + &format!(
            "<p><a href=\"{}index.html\">This analysis on a page of its own</a></p>\n</section>\n",
            escape(&self.folder)
        )
    }
}
