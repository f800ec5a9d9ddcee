//! SVG documents inside an HTML page: no prolog, no second id of the same name, and a natural width
//! to scale from.

/// The SVG ready to stand in a page, every id in it (and every use of one) preceded by `prefix`, or
/// `None` if the text is no SVG document or carries scripts or foreign content.
pub fn embed(svg: &str, prefix: &str, name: &str) -> Option<String> {
    let start = svg.find("<svg")?;
    let body = &svg[start..svg.rfind("</svg>")? + "</svg>".len()];
    let lower = body.to_ascii_lowercase();
    if ["<script", "<foreignobject", "javascript:"]
        .iter()
        .any(|bad| lower.contains(bad))
    {
        return None;
    }
    let (root, rest) = body.split_at(body.find('>')?);
    let mut opening = root.to_owned();
    if !opening.contains("aria-label") {
        opening += &format!(" role=\"img\" aria-label=\"{}\"", super::html::escape(name));
    }
    // The style sheet scales figures between a readable minimum and a little over their printed
    // width.
    if let Some(width) = natural_width(root) {
        opening += &format!(" style=\"--natural:{width}\"");
    }
    Some(prefixed(&(opening + rest), prefix))
}

/// The value of the root's `width` attribute if it is a plain length.
fn natural_width(root: &str) -> Option<&str> {
    let value = root.split(" width=\"").nth(1)?.split('"').next()?;
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &value[digits.len()..];
    let plain = digits.parse::<f64>().is_ok_and(f64::is_finite);
    (plain && matches!(unit, "mm" | "cm" | "px" | "pt" | "in")).then_some(value)
}

fn prefixed(svg: &str, prefix: &str) -> String {
    let mut out = String::with_capacity(svg.len() + 64);
    let mut rest = svg;
    // The marks after which an id begins.
    const MARKS: [&str; 6] = [
        " id=\"",
        "url(#",
        "href=\"#",
        "\nid=\"",
        "url('#",
        "url(&quot;#",
    ];
    while let Some((at, mark)) = MARKS
        .iter()
        .filter_map(|m| rest.find(m).map(|at| (at, *m)))
        .min_by_key(|(at, _)| *at)
    {
        let end = at + mark.len();
        out.push_str(&rest[..end]);
        out.push_str(prefix);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_their_uses_are_prefixed() {
        let svg = "<?xml version=\"1.0\"?>\n<svg width=\"183.00mm\"><clipPath id=\"c\"/><g clip-path=\"url(#c)\"><use href=\"#c\"/></g></svg>\n";
        let html = embed(svg, "f1-", "a < b").unwrap();
        assert_eq!(
            html,
            "<svg width=\"183.00mm\" role=\"img\" aria-label=\"a &lt; b\" style=\"--natural:183.00mm\"><clipPath id=\"f1-c\"/>\
             <g clip-path=\"url(#f1-c)\"><use href=\"#f1-c\"/></g></svg>"
        );
        assert_ne!(html, embed(svg, "f2-", "a < b").unwrap());
    }

    #[test]
    fn what_is_no_plain_svg_is_refused() {
        for bad in [
            "",
            "<p>no</p>",
            "<svg",
            "</svg><svg",
            "<svg><SCRIPT>x</SCRIPT></svg>",
        ] {
            assert!(embed(bad, "f1-", "").is_none(), "{bad}");
        }
        let odd = embed("<svg width=\"1;}evil\" aria-label=\"x\"></svg>", "f1-", "").unwrap();
        assert!(!odd.contains("--natural") && !odd.contains("role="));
    }
}
