use super::*;
use std::io::Write;

fn gz(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

/// What a file of these bytes holds: (name, label, sequence, line).
fn rows(bytes: &[u8], columns: &Columns) -> Result<Vec<(String, String, String, u64)>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    std::fs::write(&path, bytes).unwrap();
    let rows = read(&TableSource::File(path), columns, 50)?;
    Ok(rows
        .rows
        .into_iter()
        .map(|row| {
            (
                row.name,
                row.label,
                String::from_utf8(row.sequence).unwrap(),
                row.at,
            )
        })
        .collect())
}

fn row(name: &str, label: &str, sequence: &str, at: u64) -> (String, String, String, u64) {
    (name.into(), label.into(), sequence.into(), at)
}

#[test]
fn one_content_in_every_form() {
    let want = [row("a", "x y", "ACGT", 2), row("b", "0", "NNTT", 3)];
    let comma = b"name,label,sequence\na,\"x y\",acgt\nb,0,nRuT\n";
    for text in [
        comma.to_vec(),
        b"\xef\xbb\xbfname,label,sequence\r\na,x y,ACGT\r\nb,0,NNTT".to_vec(),
        b"label\tname\tother\tsequence\nx y\ta\t1,2\tACGT\n0\tb\t\tNNTT\n\n".to_vec(),
        gz(comma),
    ] {
        assert_eq!(rows(&text, &Columns::default()).unwrap(), want);
    }
    let fasta = b">a some label=x\nAC\nGT\n\n>b|0\nNNTT\n>c d 2\nA\n";
    assert_eq!(
        rows(fasta, &Columns::default()).unwrap(),
        [
            row("a", "x", "ACGT", 1),
            row("b", "0", "NNTT", 5),
            row("c", "2", "A", 7)
        ]
    );
    assert_eq!(rows(&gz(fasta), &Columns::default()).unwrap().len(), 3);
}

#[test]
fn columns_by_name_and_one_task_of_many() {
    let text = b"seq,y,id,task\nAC,1,r1,H3\nGT,0,r2,H4\n";
    let columns = |task: Option<&str>| Columns {
        sequence: "seq".into(),
        label: "y".into(),
        name: Some("id".into()),
        task: task.map(String::from),
    };
    assert_eq!(rows(text, &columns(None)).unwrap().len(), 2);
    assert_eq!(
        rows(text, &columns(Some("H4"))).unwrap(),
        [row("r2", "0", "GT", 3)]
    );
    assert!(
        rows(text, &columns(Some("H5")))
            .unwrap_err()
            .to_string()
            .contains("no row of task 'H5'")
    );
}

#[test]
fn parquet_as_hugging_face_writes_it() {
    use polars::prelude::{Column, DataFrame, ParquetWriter};
    let columns = vec![
        Column::new("sequence".into(), ["ACGT", "GGNA"]),
        Column::new("name".into(), ["p|0", "q|1"]),
        Column::new("label".into(), [0i64, 1]),
        Column::new("task".into(), ["H3", "H4"]),
    ];
    let mut frame = DataFrame::new(2, columns).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    assert_eq!(
        rows(&bytes, &Columns::default()).unwrap(),
        [row("p|0", "0", "ACGT", 1), row("q|1", "1", "GGNA", 2)]
    );
    let one = Columns {
        task: Some("H4".into()),
        ..Columns::default()
    };
    assert_eq!(rows(&bytes, &one).unwrap(), [row("q|1", "1", "GGNA", 2)]);
    let other = Columns {
        label: "y".into(),
        ..Columns::default()
    };
    assert!(
        rows(&bytes, &other)
            .unwrap_err()
            .to_string()
            .contains("--label-column")
    );
    let mut bad = DataFrame::new(
        1,
        vec![
            Column::new("sequence".into(), ["AC"]),
            Column::new("label".into(), [None::<i64>]),
        ],
    )
    .unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut bad).unwrap();
    assert!(
        rows(&bytes, &Columns::default())
            .unwrap_err()
            .to_string()
            .contains("row 1: the label is empty")
    );
    assert!(rows(b"PAR1 and nothing more", &Columns::default()).is_err());
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let long = format!("sequence,label\nAC,1\n{},1\n", "A".repeat(51));
    for (text, part) in [
        (
            &b"sequence,label\nAC,1\n,0\n"[..],
            "data:3: the sequence is empty",
        ),
        (b"sequence,label\nAC,1\nAG,\n", "data:3: the label is empty"),
        (long.as_bytes(), "data:3: a sequence of 51 bases"),
        (
            b"sequence,label\nMKLE,1\n",
            "data:2: 'L' in the sequence is no nucleotide",
        ),
        (
            b"sequence,label\nAC\n",
            "data:2: 1 fields where the first line names 2",
        ),
        (b"sequence,label\nAC,\"1\n", "data:2: a quote is not closed"),
        (
            b"seq,label\nAC,1\n",
            "data:1: no column 'sequence' among seq, label: name yours with --sequence-column",
        ),
        (
            b"ACGTACGTACGT,1\nAC,0\n",
            "data:1: the first line holds a sequence",
        ),
        (b">a\nACGT\n", "data:1: the header has no label"),
        (b">a 1\nAC\n>b 0\n", "data:3: the sequence is empty"),
        (b"sequence,label\n", "holds no sequences"),
        (b"", "holds no sequences"),
        (&[0x1f, 0x8b, 1, 2], "damaged gzip"),
    ] {
        let message = rows(text, &Columns::default()).unwrap_err().to_string();
        assert!(message.contains(part), "{message} has no '{part}'");
    }
    let task = Columns {
        task: Some("H3".into()),
        ..Columns::default()
    };
    assert!(
        rows(b">a 1\nAC\n", &task)
            .unwrap_err()
            .to_string()
            .contains("--task H3")
    );
    assert!(
        rows(b"sequence,label\nAC,1\n", &task)
            .unwrap_err()
            .to_string()
            .contains("no column 'task'")
    );
}
