//! A page whose folder was made smaller: links to files that are gone are taken out, and the page
//! says so.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::output::write_atomic;

/// What the page says of files that are not there.
const NOTE: &str = "<p class=\"subtitle left-out\">";

/// Takes the links to missing files out of `FOLDER/index.html`; nothing else is read or changed.
/// Returns how many files are missing.
///
/// # Errors
/// A page that cannot be read or written.
pub fn prune(folder: &Path) -> Result<usize> {
    let path = folder.join("index.html");
    let page = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    super::page::check_page(folder)?;
    let (page, missing) = without_dead_links(&page, &|href| folder.join(href).exists());
    if missing > 0 {
        write_atomic(&path, |file| file.write_all(page.as_bytes()))?;
    }
    Ok(missing)
}

/// The page without links to what `exists` denies, and the number of files denied.
fn without_dead_links(page: &str, exists: &dyn Fn(&str) -> bool) -> (String, usize) {
    const LINK: &str = "<a href=\"";
    let (mut kept, mut rest, mut missing) =
        (String::with_capacity(page.len()), page, BTreeSet::new());
    while let Some(at) = rest.find(LINK) {
        let (before, link) = rest.split_at(at);
        kept.push_str(before);
        let end = link
            .find("</a>")
            .map_or(link.len(), |end| end + "</a>".len());
        let href = link[LINK.len()..end].split('"').next().unwrap_or_default();
        let is_file = !href.starts_with('#') && !href.contains(':');
        if is_file && !exists(href) {
            missing.insert(href);
        } else {
            kept.push_str(&link[..end]);
        }
        rest = &link[end..];
    }
    kept.push_str(rest);
    if missing.is_empty() {
        return (page.to_string(), 0);
    }
    for empty in ["<li></li>\n", "<p></p>\n", "<ul class=\"files\">\n</ul>\n"] {
        kept = kept.replace(empty, "");
    }
    if !kept.contains(NOTE) {
        let text = "Files of this results folder (tables, single figures) were left out of this copy; its command makes them: see “Where it comes from”.";
        kept = kept.replacen("</h1>\n", &format!("</h1>\n{NOTE}{text}</p>\n"), 1);
    }
    (kept, missing.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Block, Link, Report, Section};

    #[test]
    fn links_to_missing_files_go_and_all_else_stays() {
        let link = |href: &str| Link {
            text: href.into(),
            href: href.into(),
        };
        let blocks = vec![Block::Links(vec![
            link("tables/a.tsv"),
            link("tables/b.tsv"),
            link("data:image/png;base64,AA=="),
        ])];
        let section = |title: &str, blocks| Section {
            title: title.into(),
            blocks,
        };
        let report = Report {
            title: "T".into(),
            sections: vec![section("One", blocks), section("Two", Vec::new())],
            ..Report::default()
        };
        let page = report.to_html();
        assert_eq!(without_dead_links(&page, &|_| true), (page.clone(), 0));
        let (pruned, missing) = without_dead_links(&page, &|href| href == "tables/a.tsv");
        assert_eq!(missing, 1);
        assert!(
            pruned.contains("tables/a.tsv")
                && !pruned.contains("tables/b.tsv")
                && pruned.contains("data:image/png")
        );
        assert!(
            pruned.contains("<a href=\"#s-two\">")
                && pruned.contains("left out of this copy")
                && !pruned.contains("<li></li>")
        );
        let (none, missing) = without_dead_links(&pruned, &|_| false);
        assert_eq!(
            (
                missing,
                none.matches("left out of this copy").count(),
                none.contains("class=\"files\">\n</ul>")
            ),
            (1, 1, false)
        );
    }
}
