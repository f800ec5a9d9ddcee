//! What holds for every figure: well-formed SVG, the same bytes twice, no panic on any input, and
//! data where it belongs.

use super::profile_panel::JUNCTION;
use super::*;

/// Checks nesting and quoting of a document without comments or CDATA, and returns `(tag,
/// attributes)` of every element.
fn elements(svg: &str) -> Vec<(String, Vec<(String, String)>)> {
    let (mut found, mut open) = (Vec::new(), Vec::<String>::new());
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(
            !rest[..start].contains('>'),
            "a stray > in {:?}",
            &rest[..start]
        );
        let end = start + rest[start..].find('>').expect("an unclosed tag");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let name: String = tag
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        let mut attributes = Vec::new();
        let mut parts = tag[name.len()..].trim_end_matches('/').trim();
        while let Some((key, tail)) = parts.split_once("=\"") {
            let (value, tail) = tail.split_once('"').expect("an unclosed attribute");
            attributes.push((key.trim().to_owned(), value.to_owned()));
            parts = tail;
        }
        assert_eq!(parts.trim(), "", "attributes of {name}");
        if !tag.ends_with('/') {
            open.push(name.clone());
        }
        found.push((name, attributes));
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    found
}

fn attribute<'a>(element: &'a (String, Vec<(String, String)>), name: &str) -> &'a str {
    element
        .1
        .iter()
        .find(|(key, _)| key == name)
        .map_or("", |(_, value)| value)
}

/// Draws both formats twice; returns the SVG.
fn checked(figure: &impl Figure) -> String {
    let svg = figure.to_svg().unwrap();
    assert_eq!(svg, figure.to_svg().unwrap());
    elements(&svg);
    for bad in ["NaN", "inf\"", "<script", "href"] {
        assert!(!svg.contains(bad), "{bad} in the SVG");
    }
    assert!(figure.to_png().unwrap().starts_with(b"\x89PNG"));
    svg
}

fn series(
    label: &str,
    offsets: std::ops::RangeInclusive<i32>,
    value: impl Fn(i32) -> f64,
) -> ProfileSeries {
    let offsets: Vec<i32> = offsets.collect();
    let mean: Vec<f64> = offsets.iter().map(|&o| value(o)).collect();
    let shift = |by: f64| mean.iter().map(|m| m + by).collect();
    ProfileSeries {
        label: label.into(),
        ci_low: shift(-0.01),
        ci_high: shift(0.01),
        offsets,
        mean,
    }
}

fn panel(series: Vec<ProfileSeries>) -> ProfilePanel {
    let logo = vec![[0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 1.0, 0.0], [f64::NAN; 4]];
    let endpoint = Some((-2, 2));
    ProfilePanel {
        title: "Donors".into(),
        left: Side::block("exon"),
        right: Side::line("intron"),
        series,
        endpoint,
        logo,
        logo_first: -1,
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

#[test]
fn offset_zero_is_on_the_junction_line() {
    // A step up at offset 0 and only there: its vertex must lie on the line, and the tick "0" below
    // it.
    let peak = series("sites", -120..=120, |o| if o == 0 { 0.9 } else { 0.3 });
    let svg = checked(&ProfileFigure::new(vec![panel(vec![peak])]));
    let all = elements(&svg);
    let (r, g, b) = JUNCTION.rgb;
    let colour = format!("#{r:02X}{g:02X}{b:02X}");
    let junctions: Vec<f64> = (all
        .iter()
        .filter(|e| e.0 == "line" && attribute(e, "stroke") == colour))
    .map(|e| {
        assert_eq!(attribute(e, "x1"), attribute(e, "x2"));
        number(attribute(e, "x1"))
    })
    .collect();
    assert_eq!(junctions.len(), 2, "one in the whole view, one in the zoom");
    let curves: Vec<&str> = (all.iter().filter(|e| e.0 == "polyline"))
        .map(|e| attribute(e, "points"))
        .collect();
    assert_eq!(curves.len(), 2);
    for (points, junction) in curves.iter().zip(&junctions) {
        let highest = (points.split_whitespace().filter_map(|p| p.split_once(',')))
            .min_by(|a, b| number(a.1).total_cmp(&number(b.1)))
            .unwrap();
        assert!(
            (number(highest.0) - junction).abs() <= 1.0,
            "{} and {junction}",
            highest.0
        );
    }
    let zeros: Vec<f64> = svg
        .lines()
        .zip(svg.lines().skip(1))
        .filter(|(tag, text)| tag.starts_with("<text") && *text == "0")
        .map(|(tag, _)| number(attribute(&elements(&format!("{tag}</text>"))[0], "x")))
        .collect();
    assert_eq!(zeros, junctions);
}

#[test]
fn the_endpoint_window_covers_its_offsets_and_no_others() {
    let flat = series("sites", -10..=10, |_| 0.3);
    let svg = checked(&ProfileFigure::new(vec![panel(vec![flat])]));
    let all = elements(&svg);
    let shade = all
        .iter()
        .find(|e| attribute(e, "fill") == "#EEEEEE")
        .unwrap();
    let (left, width) = (
        number(attribute(shade, "x")),
        number(attribute(shade, "width")),
    );
    let centres: Vec<f64> = (all.iter().filter(|e| e.0 == "circle"))
        .map(|e| number(attribute(e, "cx")))
        .collect();
    // One circle is the legend's sample; the rest are the 21 offsets in order.
    assert_eq!(centres.len(), 22);
    let inside = centres[1..]
        .iter()
        .filter(|x| (left..=left + width).contains(x))
        .count();
    assert_eq!(inside, 5);
}

#[test]
fn panels_of_a_row_share_their_range() {
    let low = series("low", -10..=10, |_| 0.2);
    let high = series("high", -10..=10, |_| 0.8);
    let svg = checked(&ProfileFigure::new(vec![
        panel(vec![low]),
        panel(vec![high]),
    ]));
    let heights: Vec<f64> = (elements(&svg).iter().filter(|e| e.0 == "polyline"))
        .map(|e| number(attribute(e, "points").split([',', ' ']).nth(1).unwrap()))
        .collect();
    assert!(
        heights[0] > heights[1] + 500.0,
        "0.2 must lie below 0.8: {heights:?}"
    );
}

#[test]
fn profiles_survive_any_input() {
    let gaps = series(
        "gaps",
        -120..=120,
        |o| if o % 3 == 0 { f64::NAN } else { 0.3 },
    );
    let wild = ProfileSeries {
        label: "<script>alert('x')</script> & \u{0}\u{1b} \"quoted\"".repeat(50),
        offsets: vec![i32::MAX, 0, i32::MIN, 0],
        mean: vec![f64::INFINITY, 1e300, -1e300],
        ci_low: vec![f64::NEG_INFINITY, f64::NAN, -1e300, 0.0],
        ci_high: vec![f64::NAN; 9],
    };
    let one = series("one point", 5..=5, |_| 0.25);
    for series in [
        vec![],
        vec![ProfileSeries::default()],
        vec![gaps],
        vec![wild.clone()],
        vec![one],
        vec![wild; 12],
        vec![series("constant", -40..=40, |_| 0.0)],
        vec![series("right only", 3..=90, |_| 0.5)],
    ] {
        let nothing = series.iter().all(|s| s.offsets.is_empty());
        let svg = checked(&ProfileFigure::new(vec![panel(series)]));
        assert_eq!(svg.contains("no data"), nothing);
    }
    assert!(checked(&ProfileFigure::new(vec![])).contains("no data"));
    checked(&ProfileFigure::new(vec![panel(vec![]); 5]));
}

#[test]
fn balance_puts_the_limit_where_it_is_and_survives_any_input() {
    let row = |label: &str, before, after| BalanceRow {
        label: label.into(),
        before,
        after,
    };
    let figure = |rows| {
        BalanceFigure::new(vec![BalancePanel {
            title: "Donors".into(),
            rows,
        }])
    };
    let svg = checked(&figure(vec![
        row("GC", -0.1, 0.1),
        row("length", 0.5, f64::NAN),
    ]));
    let all = elements(&svg);
    let limit = all.iter().find(|e| {
        e.0 == "line"
            && attribute(e, "stroke") == "#D55E00"
            && attribute(e, "x1") == attribute(e, "x2")
    });
    let limit = number(attribute(limit.unwrap(), "x1"));
    // The sign is ignored: the circle of 0.1 and the diamond of -0.1 both sit on the limit. The
    // first circle is the key's.
    let after = all.iter().filter(|e| e.0 == "circle").nth(1).unwrap();
    assert_eq!(number(attribute(after, "cx")), limit);
    assert!(svg.contains("after: not defined"));
    for rows in [
        vec![],
        vec![row("", f64::INFINITY, f64::NAN)],
        vec![row(&"long name ".repeat(99), 1e300, 0.0)],
        (0..500).map(|i| row("many", f64::from(i), 0.0)).collect(),
    ] {
        checked(&figure(rows));
    }
    assert!(checked(&BalanceFigure::new(vec![])).contains("no data"));
}

#[test]
fn curves_keep_their_extremes_and_survive_any_input() {
    let figure = |points: Vec<(f64, f64)>, references| CurvesFigure {
        x_label: "Bases seen".into(),
        panels: vec![CurvePanel {
            title: "Loss".into(),
            y_label: "nats".into(),
            series: vec![CurveSeries {
                label: "training".into(),
                points,
            }],
            references,
        }],
    };
    let level = |value| Reference {
        label: "table k = 4".into(),
        value,
    };
    // One spike in a hundred thousand steps: thinning must not lose it.
    let mut many: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
    many[54_321].1 = 3.0;
    let svg = checked(&figure(many, vec![level(2.0)]));
    let line = elements(&svg)
        .into_iter()
        .find(|e| e.0 == "polyline")
        .unwrap();
    let heights: Vec<f64> = attribute(&line, "points")
        .split_whitespace()
        .map(|p| number(p.split_once(',').unwrap().1))
        .collect();
    assert!(heights.len() < 2000);
    let base = heights[0];
    assert_eq!(heights.iter().filter(|y| base - **y > 500.0).count(), 1);
    for points in [
        vec![],
        vec![(0.0, 0.0)],
        vec![(f64::NAN, 1.0), (1.0, f64::INFINITY)],
        vec![(1e300, -1e300), (-1e300, 1e300)],
    ] {
        checked(&figure(
            points,
            vec![level(f64::NAN), level(1.0), level(1.0), level(-1e9)],
        ));
    }
    assert!(checked(&figure(vec![], vec![])).contains("no data"));
    assert!(
        checked(&CurvesFigure {
            x_label: String::new(),
            panels: vec![]
        })
        .contains("no data")
    );
}

#[test]
fn histograms_count_every_pair_and_survive_any_input() {
    let figure = |differences: Vec<f64>, mean: f64| {
        DistributionFigure::new(vec![DistributionPanel {
            title: "Donors".into(),
            differences,
            mean,
            ci_low: mean - 0.1,
            ci_high: mean + 0.1,
        }])
    };
    let svg = checked(&figure(vec![-0.3, -0.1, 0.1, 0.2, 0.2, f64::NAN], 0.02));
    assert!(svg.contains("n = 5 pairs, 60% above zero, 1 not defined"));
    // Bars left and right of zero have different colours; none crosses it.
    let all = elements(&svg);
    let zero = all.iter().find(|e| {
        e.0 == "line"
            && attribute(e, "x1") == attribute(e, "x2")
            && attribute(e, "stroke-width") == "15"
    });
    let zero = number(attribute(zero.unwrap(), "x1"));
    let bars: Vec<(f64, f64)> = (all
        .iter()
        .filter(|e| e.0 == "rect" && !attribute(e, "x").is_empty()))
    .map(|e| {
        (
            number(attribute(e, "x")),
            number(attribute(e, "x")) + number(attribute(e, "width")),
        )
    })
    .collect();
    assert_eq!(bars.len(), 4);
    assert!(
        bars.iter().all(|(a, b)| *b <= zero || *a >= zero),
        "{bars:?} {zero}"
    );
    for (differences, mean) in [
        (vec![], f64::NAN),
        (vec![f64::NAN; 3], f64::INFINITY),
        (vec![0.0; 10], 0.0),
        (vec![0.5], 0.5),
        (vec![-1e300, 1e300, 1e-300], 0.0),
    ] {
        let nothing = !differences.iter().any(|d: &f64| d.is_finite());
        let svg = checked(&figure(differences, mean));
        assert_eq!(svg.contains("no data"), nothing);
    }
    assert!(checked(&DistributionFigure::new(vec![])).contains("no data"));
}

#[test]
fn forests_put_estimates_where_they_are_and_survive_any_input() {
    let row = |label: &str, value: f64, n_pairs| ForestRow {
        label: label.into(),
        value,
        ci_low: value - 0.1,
        ci_high: value + 0.1,
        n_pairs,
        n_clusters: 74,
        p: "≤ 0.0001".into(),
    };
    let figure = |rows| ForestFigure {
        groups: vec![ForestGroup {
            title: "Donors".into(),
            rows,
        }],
        heads: ForestFigure::DIFFERENCES,
        x_label: "Difference".into(),
    };
    let svg = checked(&figure(vec![
        row("decoy", 0.0, 12_640),
        row("shift", 0.1, 9),
        row("bed", f64::NAN, 0),
    ]));
    assert!(
        svg.contains("0.000 (−0.100 to 0.100)")
            && svg.contains("12,640")
            && svg.contains("not defined")
            && svg.contains("≤ 0.0001")
    );
    let all = elements(&svg);
    let zero = all.iter().find(|e| {
        e.0 == "line"
            && attribute(e, "x1") == attribute(e, "x2")
            && attribute(e, "stroke-width") == "15"
    });
    let zero = number(attribute(zero.unwrap(), "x1"));
    let centres: Vec<f64> = (all
        .iter()
        .filter(|e| e.0 == "rect" && attribute(e, "fill") == "#0072B2"))
    .map(|e| number(attribute(e, "x")) + number(attribute(e, "width")) / 2.0)
    .collect();
    assert!(
        centres.len() == 2 && (centres[0] - zero).abs() <= 1.0 && centres[1] > zero + 100.0,
        "{centres:?} {zero}"
    );
    for rows in [
        vec![row(&"long name ".repeat(99), 1e300, u64::MAX)],
        vec![ForestRow {
            ci_low: f64::NEG_INFINITY,
            ..row("", -1e-300, 1)
        }],
        (0..500).map(|i| row("many", f64::from(i), 0)).collect(),
    ] {
        checked(&figure(rows));
    }
    assert!(checked(&figure(vec![])).contains("no data"));
    assert!(
        checked(&ForestFigure {
            groups: vec![],
            heads: ForestFigure::DIFFERENCES,
            x_label: String::new()
        })
        .contains("no data")
    );
}

#[test]
fn r2_rises_upwards_and_survives_any_input() {
    let point = |k: usize, r2: f64| R2Point {
        k,
        r2,
        ci_low: r2 - 0.02,
        ci_high: r2 + 0.02,
    };
    let figure = |points: Vec<R2Point>, level: f64| R2Figure {
        title: "Local letters".into(),
        x_label: "Letters on either side, k".into(),
        series: vec![R2Series {
            label: "all".into(),
            points,
        }],
        references: vec![Reference {
            label: "other strand".into(),
            value: level,
        }],
    };
    let svg = checked(&figure(
        (1..=8).map(|k| point(k, 0.1 * k as f64)).collect(),
        0.9,
    ));
    assert!(svg.contains("other strand"));
    let heights: Vec<f64> = (elements(&svg).iter().filter(|e| e.0 == "circle"))
        .skip(1)
        .map(|e| number(attribute(e, "cy")))
        .collect();
    assert!(
        heights.len() == 8
            && heights
                .windows(2)
                .all(|pair| ((pair[0] - pair[1]) - 280.0).abs() <= 1.0),
        "{heights:?}"
    ); // a tenth of 140 pt
    for points in [
        vec![],
        vec![point(0, f64::NAN)],
        vec![point(usize::MAX, -1e300), point(3, 1e300)],
        vec![point(4, 0.5); 3],
    ] {
        let nothing = !points.iter().any(|p| p.r2.is_finite());
        assert_eq!(
            checked(&figure(points, f64::NAN)).contains("no data"),
            nothing
        );
    }
    assert!(checked(&R2Figure::default()).contains("no data"));
}

#[test]
fn calibration_ends_at_one_and_survives_any_input() {
    let figure = |p_values: Vec<f64>| CalibrationFigure {
        title: "Controls against controls".into(),
        series: vec![CalibrationSeries {
            label: "all".into(),
            p_values,
        }],
    };
    let svg = checked(&figure(vec![0.5, 0.1, f64::NAN, 0.9, 0.3]));
    assert!(
        svg.contains("n = 4")
            && figure(vec![0.04, 0.5])
                .description()
                .contains("2 p-values, 1 at most 0.05")
    );
    let all = elements(&svg);
    let curve = all.iter().find(|e| e.0 == "polyline").unwrap();
    let last = attribute(curve, "points")
        .split_whitespace()
        .last()
        .unwrap();
    let diagonal = all
        .iter()
        .find(|e| {
            e.0 == "line"
                && attribute(e, "x1") != attribute(e, "x2")
                && attribute(e, "y1") != attribute(e, "y2")
        })
        .unwrap();
    assert_eq!(
        last,
        format!(
            "{},{}",
            attribute(diagonal, "x2"),
            attribute(diagonal, "y2")
        )
    );
    for p_values in [
        vec![],
        vec![f64::NAN],
        vec![-1.0, 7.0, f64::INFINITY],
        vec![0.0; 2000],
    ] {
        let nothing = !p_values.iter().any(|p| p.is_finite());
        assert_eq!(checked(&figure(p_values)).contains("no data"), nothing);
    }
    checked(&CalibrationFigure {
        title: String::new(),
        series: vec![CalibrationSeries::default(); 9],
    });
}

#[test]
fn motifs_volcanoes_and_heat_maps_survive_any_input() {
    let logo = vec![[1.0, 0.0, 0.0, 0.0], [0.25; 4], [f64::NAN, 0.5, 0.5, 0.0]];
    let series = |mean: Vec<f64>| ProfileSeries {
        label: "hits (n = 3)".into(),
        offsets: (-2..6).collect(),
        ci_low: mean.iter().map(|m| m - 0.1).collect(),
        ci_high: mean.iter().map(|m| m + 0.1).collect(),
        mean,
    };
    let panel = |series| MotifPanel {
        title: "TATA box".into(),
        logo: logo.clone(),
        series,
        missing: String::new(),
        pale: false,
    };
    let panels = vec![
        panel(vec![series(vec![0.3; 8])]),
        panel(vec![series(vec![f64::NAN; 8])]),
        MotifPanel::default(),
    ];
    for panels in [Vec::new(), panels] {
        let figure = MotifFigure {
            panels,
            y_label: "Mean".into(),
            note: "note".into(),
        };
        assert!(
            figure.to_svg().unwrap().contains("<svg")
                && figure.to_png().unwrap().starts_with(b"\x89PNG")
        );
    }
    let point = |effect, p_value, significant| VolcanoPoint {
        label: "TBP".into(),
        effect,
        p_value,
        significant,
    };
    let points = vec![
        point(0.1, 1e-5, true),
        point(f64::NAN, 0.1, false),
        point(0.2, 0.0, true),
        point(-0.1, 0.5, false),
    ];
    let figure = VolcanoFigure {
        panels: vec![
            VolcanoPanel {
                title: "x".into(),
                points,
            },
            VolcanoPanel::default(),
        ],
        ..VolcanoFigure::default()
    };
    let svg = figure.to_svg().unwrap();
    assert!(svg.contains("1 of 2 significant") && svg.contains("TBP") && svg.contains("no data"));
    let rows = (0..900)
        .map(|i| vec![f64::from(i) / 900.0, f64::NAN, 2.0])
        .collect();
    for rows in [Vec::new(), vec![vec![]], rows] {
        let figure = HeatmapFigure {
            title: "t".into(),
            n: rows.len(),
            rows,
            first: -1,
            logo: logo.clone(),
            edges: vec![0.0, 3.0],
            range: (0.0, 1.0),
            ..HeatmapFigure::default()
        };
        assert!(
            figure.to_svg().unwrap().contains("<svg")
                && figure.to_png().unwrap().starts_with(b"\x89PNG")
        );
    }
}

#[test]
fn confusion_and_unit_squares_put_things_where_they_are_and_survive_any_input() {
    let figure = |classes: &[&str], counts: Vec<Vec<f64>>| ConfusionFigure {
        classes: classes.iter().map(|c| c.to_string()).collect(),
        panels: vec![
            ConfusionPanel {
                title: "a model".into(),
                counts
            };
            3
        ],
    };
    let svg = checked(&figure(
        &["no", "yes"],
        vec![vec![30.0, 10.0], vec![2.5, 17.5]],
    ));
    assert!(
        ["30", "75%", "2.5", "17.5"]
            .iter()
            .all(|text| svg.contains(text))
    );
    assert!(checked(&figure(&["x"; 13], vec![vec![1.0; 13]; 13])).contains("too many classes"));
    for (classes, counts) in [
        (&["a", "b"][..], vec![]),
        (&["a"], vec![vec![f64::NAN, 1.0, -3.0]]),
        (&["", "long name that never ends"], vec![vec![1e300; 2]; 5]),
    ] {
        checked(&figure(classes, counts));
    }
    assert!(checked(&figure(&[], vec![])).contains("no data"));

    let square = |points: Vec<(f64, f64)>| UnitSquare {
        title: "ROC".into(),
        x_label: "False positive rate".into(),
        y_label: "True positive rate".into(),
        series: vec![CurveSeries {
            label: "model".into(),
            points,
        }],
        reference: Some([(0.0, 0.0), (1.0, 1.0)]),
        marked: true,
    };
    let svg = checked(&UnitSquareFigure {
        squares: vec![square(vec![(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)])],
    });
    let dots: Vec<(f64, f64)> = elements(&svg)
        .iter()
        .filter(|e| e.0 == "circle")
        .map(|e| (number(attribute(e, "cx")), number(attribute(e, "cy"))))
        .collect();
    assert!(
        dots.len() == 3
            && ((dots[0].0 + dots[2].0) / 2.0 - dots[1].0).abs() <= 1.0
            && dots[1].1 == dots[2].1
            && dots[0].1 > dots[1].1,
        "{dots:?}"
    );
    for points in [
        vec![],
        vec![(f64::NAN, 0.5)],
        vec![(-9.0, 7.0), (1e300, f64::INFINITY)],
    ] {
        checked(&UnitSquareFigure {
            squares: vec![square(points); 4],
        });
    }
    checked(&UnitSquareFigure::default());
}

#[test]
fn benchmarks_show_both_intervals_and_survive_any_input() {
    let figure = |values: Vec<Mark>, measured| BenchmarkFigure {
        models: vec!["ours".into(), "theirs".into()],
        rows: vec![BenchmarkRow {
            label: "task".into(),
            values,
            measured,
        }],
        x_label: "MCC".into(),
        decimals: 3,
        note: String::new(),
    };
    let both = Mark {
        value: 0.5,
        inner: (0.4, 0.6),
        outer: (0.3, 0.8),
    };
    let svg = checked(&figure(vec![both, Mark::bare(0.7)], Some(0.5)));
    assert!(svg.contains("task, ours: 0.5") && !svg.contains("not measured"));
    for mark in [
        Mark::bare(f64::NAN),
        Mark::with_sd(1.0, f64::NAN),
        Mark {
            value: -1e300,
            inner: (f64::NEG_INFINITY, 0.0),
            outer: (1.0, -1.0),
        },
    ] {
        checked(&figure(vec![mark; 5], None));
    }
}

#[test]
fn two_groups_told_apart_survive_any_input() {
    let model = |name: &str, curve: Vec<(f64, f64)>, bits: f64| DiscriminationModel {
        label: format!("{name}: AUROC 0.9"),
        name: name.into(),
        curve,
        bits,
        low: bits - 0.05,
        high: bits + 0.05,
    };
    let column = |models: Vec<DiscriminationModel>, statistics: Vec<(i32, f64)>, line: f64| {
        DiscriminationPanel {
            title: "Donors from decoys".into(),
            models,
            difference: panel(vec![series("sites less decoys", -10..=10, |o| {
                0.01 * f64::from(o)
            })]),
            statistics,
            line,
        }
    };
    let figure = |panels: Vec<DiscriminationPanel>| DiscriminationFigure {
        panels,
        difference_label: "Difference".into(),
    };
    let good = column(
        vec![
            model("nucleotides", vec![(0.0, 0.0), (0.1, 0.8), (1.0, 1.0)], 0.6),
            model("boundaries", vec![(0.0, 0.0), (1.0, 1.0)], 0.1),
        ],
        (-10..=10).map(|o| (o, f64::from(o) / 3.0)).collect(),
        2.9,
    );
    let drawn = figure(vec![good.clone(), good.clone()]);
    let svg = checked(&drawn);
    assert!(
        !svg.contains("no data")
            && svg.contains("nucleotides")
            && drawn
                .description()
                .contains("offset +10: 3.33, 5 % line 2.90")
    );
    // The curve of true positives rises: its middle lies above the diagonal, higher on the page.
    let all = elements(&svg);
    let curve = all
        .iter()
        .find(|e| e.0 == "polyline" && attribute(e, "points").split_whitespace().count() == 3)
        .unwrap();
    let heights: Vec<f64> = attribute(curve, "points")
        .split_whitespace()
        .filter_map(|p| p.split_once(','))
        .map(|p| number(p.1))
        .collect();
    assert!(
        heights[0] > heights[1] && heights[1] > heights[2],
        "{heights:?}"
    );
    for bad in [
        figure(vec![]),
        figure(vec![DiscriminationPanel::default(); 3]),
        figure(vec![column(
            vec![model("x", vec![(f64::NAN, 0.0)], f64::NAN)],
            vec![(i32::MAX, 1.0), (i32::MIN, f64::INFINITY)],
            f64::NAN,
        )]),
        figure(vec![good, column(vec![], vec![(0, 1e300)], 1e300)]),
    ] {
        checked(&bad);
    }
}
