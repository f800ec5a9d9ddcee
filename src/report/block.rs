//! The pieces of a section, and their HTML.

use super::html::escape;
use super::inline_svg;
use super::table::Table;

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph of plain text.
    Paragraph(String),
    /// The key results, side by side.
    Cards(Vec<Card>),
    /// A figure, numbered in the order of the page.
    Figure {
        /// The SVG document; ids inside it are made unique.
        svg: String,
        /// What the figure shows and how to read it.
        caption: String,
        /// A short name: the bold start of the caption.
        label: String,
        /// Links under the caption, to files beside the page or to `data:` addresses.
        downloads: Vec<Link>,
    },
    /// A table, numbered in the order of the page.
    Table(Table),
    /// A note or a warning that must not be overlooked.
    Callout {
        /// How serious it is.
        level: Level,
        /// Its text.
        text: String,
    },
    /// Files of the results folder, as a list of links.
    Links(Vec<Link>),
    /// Something long, folded away.
    Details {
        /// The line that is always seen.
        summary: String,
        /// Preformatted text.
        pre: String,
    },
}

/// A key result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// What was measured.
    pub label: String,
    /// The value, as text.
    pub value: String,
    /// Its uncertainty, as text; empty for none.
    pub uncertainty: String,
}

/// A link to a file of the results folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The words of the link.
    pub text: String,
    /// A relative path or a `data:` address; anything else is shown as text without a link.
    pub href: String,
}

/// A paragraph.
pub(super) fn paragraph(text: impl Into<String>) -> Block {
    Block::Paragraph(text.into())
}

/// A link.
pub(super) fn link(text: &str, href: String) -> Link {
    Link {
        text: text.into(),
        href,
    }
}

/// The files of a figure, and of the table behind it.
pub(super) fn downloads(figure: &str, table: &str) -> Vec<Link> {
    vec![
        link("SVG", format!("figures/{figure}.svg")),
        link("PNG", format!("figures/{figure}.png")),
        link("numbers", format!("tables/{table}.tsv")),
    ]
}

/// How serious a callout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Note,
    /// The result may mislead without it.
    Warning,
    /// Something the result rests on is missing or failed.
    Problem,
}

impl Level {
    fn class_and_word(self) -> (&'static str, &'static str) {
        match self {
            Level::Note => ("note", "Note"),
            Level::Warning => ("warning", "Warning"),
            Level::Problem => ("problem", "Problem"),
        }
    }
}

/// Writes blocks, one after the other.
#[derive(Default)]
pub(super) struct Writer {
    /// Where the files lie that links name, relative to the page; empty for beside it.
    pub folder: String,
    figures: usize,
    tables: usize,
    /// Bytes of figures written.
    drawn: usize,
}

/// Bytes of figures that a page may hold; with its capped tables it then stays under 8 MB.
const MOST_DRAWN: usize = 6_500_000;

impl Writer {
    pub fn block(&mut self, block: &Block) -> String {
        match block {
            Block::Paragraph(text) => format!("<p>{}</p>\n", escape(text)),
            Block::Cards(cards) => {
                let cards: String = cards.iter().map(Card::to_html).collect();
                format!("<dl class=\"cards\">\n{cards}</dl>\n")
            }
            Block::Figure {
                svg,
                caption,
                label,
                downloads,
            } => {
                self.figures += 1;
                self.figure(svg, caption, label, downloads)
            }
            Block::Table(table) => {
                self.tables += 1;
                table.to_html(self.tables)
            }
            Block::Callout { level, text } => {
                let (class, word) = level.class_and_word();
                let text = escape(text);
                format!(
                    "<p class=\"callout {class}\" role=\"note\"><strong>{word}.</strong> {text}</p>\n"
                )
            }
            Block::Links(links) => {
                let items: String = links
                    .iter()
                    .map(|link| format!("<li>{}</li>\n", self.link(link)))
                    .collect();
                format!("<ul class=\"files\">\n{items}</ul>\n")
            }
            Block::Details { summary, pre } => {
                format!(
                    "<details>\n<summary>{}</summary>\n<pre tabindex=\"0\">{}</pre>\n</details>\n",
                    escape(summary),
                    escape(pre)
                )
            }
        }
    }

    fn figure(&mut self, svg: &str, caption: &str, label: &str, downloads: &[Link]) -> String {
        let number = self.figures;
        let name = format!("Figure {number}: {label}");
        let fits = self.drawn + svg.len() <= MOST_DRAWN;
        let drawing = match inline_svg::embed(svg, &format!("figure-{number}-"), &name) {
            Some(_) if !fits => {
                "<p class=\"missing\">This page holds no more figures: see the files below.</p>"
                    .into()
            }
            Some(drawing) => {
                self.drawn += drawing.len();
                drawing
            }
            None => "<p class=\"missing\">This figure could not be shown.</p>".into(),
        };
        let links: Vec<String> = downloads.iter().map(|link| self.link(link)).collect();
        let links = match links.is_empty() {
            true => String::new(),
            false => format!(" <span class=\"links\">{}</span>", links.join(" ")),
        };
        format!(
            "<figure id=\"figure-{number}\">\n<div class=\"plot\" role=\"group\" tabindex=\"0\" aria-label=\"{}\">\n{drawing}\n</div>\n\
             <figcaption><span class=\"no\">Figure {number}. {}.</span> {}{links}</figcaption>\n</figure>\n",
            escape(&name),
            escape(label.trim_end_matches('.')),
            escape(caption),
        )
    }

    fn link(&self, link: &Link) -> String {
        let href = link.href.trim();
        // A scheme would be a word before the first colon; only data: is let through.
        let scheme = href
            .split(['/', '?', '#'])
            .next()
            .is_some_and(|first| first.contains(':'));
        if href.is_empty() || href.starts_with("//") || (scheme && !href.starts_with("data:image/"))
        {
            return escape(&link.text);
        }
        let folder = if scheme { "" } else { &self.folder };
        format!(
            "<a href=\"{}{}\" download>{}</a>",
            escape(folder),
            escape(href),
            escape(&link.text)
        )
    }
}

impl Card {
    fn to_html(&self) -> String {
        let mut html = format!(
            "<div class=\"card\"><dt>{}</dt><dd class=\"value\">{}</dd>",
            escape(&self.label),
            escape(&self.value)
        );
        if !self.uncertainty.is_empty() {
            html += &format!(
                "<dd class=\"uncertainty\">{}</dd>",
                escape(&self.uncertainty)
            );
        }
        html + "</div>\n"
    }
}
