use super::*;

fn figure(n: usize, reversed: bool) -> LocusFigure {
    LocusFigure {
        title: "here".into(),
        start: 100,
        letters: (0..n).map(|i| b"ACGT"[i % 4]).collect(),
        reversed,
        series: vec![LocusSeries {
            label: "model".into(),
            first: 100,
            values: (0..=n)
                .map(|i| if i % 5 == 0 { 0.9 } else { 0.2 })
                .collect(),
            threshold: Some(0.5),
        }],
        anchor: Some((100 + n / 2, "TSS".into())),
        sequence: "chrT".into(),
        ..LocusFigure::default()
    }
}

/// x of the centre of each letter, in points, in the order drawn.
fn letters(svg: &str) -> Vec<(f64, String)> {
    let texts = svg
        .split("<text ")
        .skip(1)
        .filter(|text| text.contains("bold"));
    let of = |text: &str| {
        let x = text
            .split("x=\"")
            .nth(1)?
            .split('"')
            .next()?
            .parse::<f64>()
            .ok()?;
        let letter = text
            .split('>')
            .nth(1)?
            .split('<')
            .next()?
            .trim()
            .to_string();
        ["A", "C", "G", "T"]
            .contains(&letter.as_str())
            .then_some((x / 20.0, letter))
    };
    texts.filter_map(of).collect()
}

#[test]
fn letters_and_coordinates_follow_the_strand() {
    for reversed in [false, true] {
        let figure = figure(40, reversed);
        let drawn = letters(&figure.to_svg().unwrap());
        assert_eq!(drawn.len(), 40);
        let word: String = drawn.iter().map(|(_, letter)| letter.as_str()).collect();
        assert_eq!(
            &word[..8],
            if reversed { "TGCATGCA" } else { "ACGTACGT" },
            "complemented on minus, in the order of the genome"
        );
        let rising = drawn.windows(2).all(|pair| pair[0].0 < pair[1].0);
        assert_eq!(rising, !reversed);
        // Base 110 (1-based) spans inter-base positions 109 to 110, and its number stands under its
        // letter.
        let panel = figure.panel(100, 140);
        assert!((panel.x.at(109.5) - drawn[9].0).abs() < 0.1);
    }
}

#[test]
fn tokens_lie_between_boundaries() {
    let svg = figure(40, false).to_svg().unwrap();
    // Boundaries at every fifth position: eight tokens, shaded in turn.
    for (ink, n) in [("#56B4E9", 4), ("#005A8D", 4)] {
        assert_eq!(svg.matches(&format!("fill=\"{ink}\"")).count(), n, "{ink}");
    }
}

#[test]
fn long_windows_write_no_letters_and_many_hits_are_capped_in_words() {
    let mut long = figure(2000, true);
    long.zoom = Some((1000, 1080));
    long.hits = (0..60)
        .map(|i| LocusHit {
            label: format!("m{i}"),
            plus: true,
            whole: (200 + i, 208 + i),
            p_value: i as f64,
        })
        .collect();
    long.genes = vec![
        LocusGene {
            label: "g".into(),
            plus: false,
            whole: (0, 9999),
            exons: vec![(150, 400)],
            cds: vec![(200, 300)]
        };
        10
    ];
    let svg = long.to_svg().unwrap();
    assert_eq!(letters(&svg).len(), 80, "those of the zoom alone");
    assert!(svg.contains("2 more genes, 20 more hits with larger p-values"));
    assert!(!svg.contains("m41<") && svg.contains("m39"));
}

#[test]
fn nothing_makes_it_panic() {
    let mut odd = figure(12, false);
    odd.series[0].values = vec![f64::NAN; 3];
    odd.series.push(LocusSeries {
        label: "<x>".into(),
        first: 0,
        values: vec![f64::INFINITY, -3.0],
        threshold: None,
    });
    odd.zoom = Some((500, 600));
    odd.anchor = Some((0, "far".into()));
    odd.hits = vec![LocusHit {
        label: "w".repeat(300),
        plus: false,
        whole: (0, 99_999),
        p_value: f64::NAN,
    }];
    for figure in [LocusFigure::default(), odd] {
        let svg = figure.to_svg().unwrap();
        assert_eq!(svg, figure.to_svg().unwrap());
        assert!(!svg.contains("NaN") && figure.to_png().unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn thousands_are_grouped() {
    for (number, text) in [
        (7, "7"),
        (999, "999"),
        (1000, "1,000"),
        (5_226_702, "5,226,702"),
    ] {
        assert_eq!(grouped(number), text);
    }
}
