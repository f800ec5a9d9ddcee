use std::io::Write;

use super::*;

fn read(text: &str) -> Result<Vec<Motif>> {
    from_bytes(Path::new("folder/x.txt"), text.as_bytes())
}

/// What of a motif the files below agree on.
fn expect(text: &str, id: &str, name: &str) {
    let mut packed = Vec::new();
    let mut writer = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
    writer
        .write_all(text.replace('\n', "\r\n").as_bytes())
        .unwrap();
    writer.finish().unwrap();
    for motifs in [
        read(text).unwrap(),
        from_bytes(Path::new("folder/x.txt"), &packed).unwrap(),
        read(&format!("\u{feff}{text}")).unwrap(),
    ] {
        let [motif] = &motifs[..] else {
            panic!("{motifs:?}")
        };
        assert_eq!((motif.id.as_str(), motif.name.as_str()), (id, name));
        for (column, expected) in motif.counts.iter().zip([
            [3.0, 0.0, 1.0, 0.0],
            [0.0, 4.0, 0.0, 0.0],
            [1.0, 1.0, 1.0, 1.0],
        ]) {
            assert!(
                column
                    .iter()
                    .zip(expected)
                    .all(|(a, b)| (a - b).abs() < 1e-12),
                "{text}: {:?}",
                motif.counts
            );
        }
        assert_eq!(motif.width(), 3);
    }
}

#[test]
fn every_format_gives_the_same_matrix() {
    expect(
        ">MA0001.1\tTBP\nA  [ 3 0 1 ]\nC  [ 0 4 1 ]\nG  [ 1 0 1 ]\nT  [ 0 0 1 ]\n\n",
        "MA0001.1",
        "TBP",
    );
    expect(
        ">MA0001.1 some name\nT | 0 0 1\nA | 3.0 0 1\nC | 0 4e0 1\nG | 1 0 1\n",
        "MA0001.1",
        "some name",
    );
    expect(
        "> MA0001.1\n3 0 1\n0 4 1\n1 0 1\n0 0 1\n",
        "MA0001.1",
        "MA0001.1",
    );
    expect(
        "# a matrix without a header\n3 0 1\n0 4 1\n1 0 1\n0 0 1\n",
        "x",
        "x",
    );
    // HOMER: a row a column.
    expect(
        ">AC\tmine\t4.7\t0\n# WEIGHT: 3\n3\t0\t1\t0\n0\t4\t0\t0\n1\t1\t1\t1\n",
        "AC",
        "mine",
    );
    let rows = "0.75 0 0.25 0\n 0 1 0 0\n.25 .25 .25 .25 \n";
    let head = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\nA 0.3 C 0.2 G 0.2 T 0.3\n\n";
    expect(
        &format!(
            "{head}MOTIF a b\nletter-probability matrix: alength= 4 w= 3 nsites= 4 E= 4.1e-009\n{rows}\nURL x\n"
        ),
        "a",
        "b",
    );
    expect(
        &format!(
            "{head}MOTIF a\twidth = 3 sites = 4\nletter-probability matrix: nsites= 4\n{rows}Time 0.1\n"
        ),
        "a",
        "a",
    );
    let custom = "MEME version 5\nALPHABET \"DNA\" DNA-LIKE\nA \"Adenine\" CC0000 ~ T \"Thymine\" 0000CC\nC ~ G\nR = AG\nEND ALPHABET\n";
    expect(
        &format!("{custom}MOTIF a\nletter-probability matrix: w= 3 nsites= 4\n{rows}"),
        "a",
        "a",
    );
    expect(
        "VV  x\nXX\n//\nAC MA1.1\nXX\nID T\nP0      A      C      G      T\n01 3 0 1 0 R\n02 0 4 0 0 C\n03 1 1 1 1 N\nXX\n//\n",
        "MA1.1",
        "T",
    );
    expect(
        "ID one\nBF species\nPO\tT\tG\tC\tA\n00\t0\t1\t0\t3\n01\t0\t0\t4\t0\n02\t1\t1\t1\t1\n",
        "one",
        "one",
    );
}

#[test]
fn transfac_matrices_end_where_their_rows_end() {
    let rows = "01 3 0 1 0 R\n02 0 4 0 0 C\n03 1 1 1 1 N\n";
    for later in [
        "XX\nXL\n00\t0\n01\t3\n02\t6\n",
        "XX\nXL\n01 0 1 2 3\n02 3 1 2 3\n03 1\n04 1\n",
        "IC 1.9\n00 1 1 1 1\n",
        "BF x\nBS 1\n",
    ] {
        expect(
            &format!("AC M1\nNA T\nP0 A C G T\n{rows}{later}//\n"),
            "M1",
            "T",
        );
    }
    expect(&format!("NA SIP4\nPO A C G T\n{rows}//\n"), "SIP4", "SIP4");
    let two = read(&format!(
        "NA a\nPO A C G T\n{rows}//\nNA b\nPO A C G T\n{rows}//\n"
    ))
    .unwrap();
    assert_eq!(
        two.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    for (text, parts) in [
        (
            "AC x\nP0 A C G T\n01 1 2 3 4\n03 1 2 3 4\n//\n",
            &[":4", "row 3", "row 2 should be"][..],
        ),
        (
            "AC x\nP0 A C G T\n01 1 2 3 4\nXX\n02 1 2 3 4\n//\n",
            &[":5", "row 2", "after its end"],
        ),
        (
            "AC x\nP0 A C G T\n01 1 2 3 4\nAC y\nP0 A C G T\n01 1 2 3 4\n//\n",
            &[":5", "second P0"],
        ),
        (
            "AC x\nP0 A C G T\n99999999999999999999 1 2 3 4\n//\n",
            &[":3", "no number of a row"],
        ),
    ] {
        let message = read(text).unwrap_err().to_string();
        assert!(
            parts.iter().all(|part| message.contains(part)),
            "{text}: {message}"
        );
    }
}

#[test]
fn jaspar_notes_split_at_semicolons_and_keep_commas() {
    let text = "AC M\nID F\nPO A C G T\n01 1 2 3 4\nCC tax_group:insects\nCC tf_family:Fos-related; Jun-related\nCC tf_class:zinc, C2H2\n//\n";
    let motif = &read(text).unwrap()[0];
    assert_eq!(
        (
            motif.tax_group.as_str(),
            motif.families.len(),
            motif.classes.as_slice()
        ),
        ("insects", 2, &["zinc, C2H2".to_string()][..])
    );
    assert_eq!(motif.families, ["Fos-related", "Jun-related"]);
}

#[test]
fn names_can_be_printed() {
    let motif = &read(">M\x1b[31m1 a\x08b\u{202e}c\n1\n1\n1\n1\n").unwrap()[0];
    assert_eq!(
        (motif.id.as_str(), motif.name.as_str()),
        ("M [31m1", "a b c")
    );
}

#[test]
fn frequencies_without_sites_count_as_twenty() {
    for text in [
        ">x\nA 0.5 1\nC 0 0\nG 0.5 0\nT 0 0\n",
        "MEME version 4\nMOTIF x\nletter-probability matrix:\n.5 0 .5 0\n1 0 0 0\n",
    ] {
        assert_eq!(
            read(text).unwrap()[0].counts,
            [[10.0, 0.0, 10.0, 0.0], [20.0, 0.0, 0.0, 0.0]]
        );
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let meme = "MEME version 4\nMOTIF x\nletter-probability matrix: alength= 4 w= 2\n";
    for (text, parts) in [
        ("", &["x.txt", "no matrix"][..]),
        ("nothing of the kind\n", &["x.txt:1", "'nothing'"]),
        (
            ">x\nA 1 2\nC 1 2\nG 1 2\n",
            &[":1", "'x' needs a row for each"],
        ),
        (
            ">x\nA 1 2\nC 1 2\nG 1 2\nT 1\n",
            &[":5", "1 numbers", "has 2"],
        ),
        (
            ">x\nA 1 2\nA 1 2\nG 1 2\nT 1 2\n",
            &[":3", "second row of A"],
        ),
        (
            ">x\nA 1 2\nC 1 2\n1 2\nT 1 2\n",
            &[":4", "without its letter"],
        ),
        (">x\n1 2\n1 2\n1 2\n1 z\n", &[":5", "'z'"]),
        (">x\n1 2\n1 2\n", &[":2", "neither"]),
        (">x\n", &[":1", "0 columns"]),
        (">\nA 1\nC 1\nG 1\nT 1\n", &[":1", "without an identifier"]),
        (">x\nA -1\nC 1\nG 1\nT 1\n", &[":1", "log-odds"]),
        (
            ">x\nA 1\nC 1\nG 1\nT 1\n>x\nA 1\nC 1\nG 1\nT 1\n",
            &["two matrices", "'x'"],
        ),
        (
            "MEME version 4\nALPHABET= ACDEFGHIKLMNPQRSTVWY\n",
            &[":2", "not ACGT"],
        ),
        (
            "MEME version 4\nMOTIF x\nMOTIF y\n",
            &[":2", "'x' has no letter-probability"],
        ),
        (
            "MEME version 4\nMOTIF x\nlog-odds matrix: alength= 4 w= 1\n1 2 3 4\n",
            &[":2", "no letter-probability"],
        ),
        (&format!("{meme}.5 .5 0 0\n"), &[":3", "1 of its 2 rows"]),
        (
            &format!("{meme}.5 .5 0 0\n.5 .5 0 0\n.5 .5 0 0\n"),
            &[":6", "more than its 2 rows"],
        ),
        (&meme.replace("w= 2", "w= 2.5"), &[":3", "'w= 2.5'"]),
        (
            &format!(
                "{}.5 .5 0 0\n.5 .5 0 0\n",
                meme.replace("w= 2", "w= 2 nsites= inf")
            ),
            &[":3", "'nsites= inf'"],
        ),
        (
            &format!(
                "{}.5 .5 0 0\n.5 .5 0 0\n",
                meme.replace("w= 2", "w= 2 nsites= nan")
            ),
            &[":3", "'nsites= NaN'"],
        ),
        (
            &format!("{meme}.5 .5 0 0\n.5 .5 .5 0\n"),
            &[":5", "add up to 1"],
        ),
        (&meme.replace("= 4 w", "= 20 w"), &[":3", "four letters"]),
        ("AC x\nPO A C G T\n01 1 2 3\n//\n", &[":3", "found 3"]),
        ("AC x\nPO A C G G\n01 1 2 3 4\n//\n", &[":2", "letters"]),
        (
            "AC x\n01 1 2 3 4\nPO A C G T\n//\n",
            &[":2", "before the P0"],
        ),
        ("PO A C G T\n01 1 2 3 4\n", &[":1", "without an identifier"]),
    ] {
        let message = read(text).unwrap_err().to_string();
        assert!(
            parts.iter().all(|part| message.contains(part)),
            "{text}: {message}"
        );
    }
    // Bytes of any kind give an error and no panic.
    for bytes in [
        &b"\x1f\x8b\x08garbage"[..],
        b"\xff\xfe>\0",
        &[0; 64],
        b">\xc3\n\xc3 1 2\n",
    ] {
        assert!(from_bytes(Path::new("x"), bytes).is_err());
    }
}

#[test]
fn jaspar_as_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("JASPAR.sqlite");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "CREATE TABLE MATRIX (ID integer PRIMARY KEY, COLLECTION text, BASE_ID text, VERSION integer, NAME text);
             CREATE TABLE MATRIX_ANNOTATION (LOCAL_ID integer PRIMARY KEY, ID integer, TAG text, VAL text);
             CREATE TABLE MATRIX_DATA (ID integer, row text, col integer, val float);
             INSERT INTO MATRIX VALUES (7, 'CORE', 'MA0002', 1, 'ETS1'), (9, 'CORE', 'MA0001', 2, 'TBP'), (10, 'UNVALIDATED', 'UN0001', 1, 'X');
             INSERT INTO MATRIX_ANNOTATION VALUES (1, 7, 'family', 'Ets-related'), (2, 7, 'tax_group', 'vertebrates'), (3, 7, 'comment', NULL);
             INSERT INTO MATRIX_DATA VALUES (7, 'T', 1, 4), (7, 'A', 1, 1), (7, 'C', 1, 2.5), (7, 'G', 1, 3);
             INSERT INTO MATRIX_DATA SELECT 9, row, col, val FROM MATRIX_DATA WHERE ID = 7;",
        )
        .unwrap();
    let motifs = open(&path).unwrap();
    assert_eq!(
        motifs.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(),
        ["MA0001.2", "MA0002.1"]
    );
    database
        .execute_batch("UPDATE MATRIX SET NAME = 'T' || char(9) || 'P' || char(10) WHERE ID = 9")
        .unwrap();
    assert_eq!(open(&path).unwrap()[0].name, "T P ");
    assert_eq!(
        (motifs[1].counts[0], motifs[1].tax_group.as_str()),
        ([1.0, 2.5, 3.0, 4.0], "vertebrates")
    );
    assert_eq!(
        (motifs[1].families.as_slice(), motifs[0].families.len()),
        (&["Ets-related".to_string()][..], 0)
    );
    let refused = |change: &str, part: &str| {
        database.execute_batch(change).unwrap();
        let message = open(&path).unwrap_err().to_string();
        assert!(message.contains(part), "{change}: {message}");
    };
    refused(
        "INSERT INTO MATRIX_DATA SELECT 9, row, 3, val FROM MATRIX_DATA WHERE ID = 7",
        "'MA0001.2' lacks column 2",
    );
    refused(
        "DELETE FROM MATRIX_DATA WHERE ID = 9 AND col = 3; INSERT INTO MATRIX_DATA VALUES (9, 'T', 1, 4)",
        "'MA0001.2' lacks a letter in column 2",
    );
    refused(
        "DELETE FROM MATRIX_DATA WHERE ID = 9 AND row = 'G'",
        "'MA0001.2' lacks a letter in column 1",
    );
    // Tables that compute: without end, or far more than they hold.
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS ID, 'A' AS row, 1 AS col, 1 AS val FROM n";
    refused(
        &format!("ALTER TABLE MATRIX_DATA RENAME TO kept; CREATE VIEW MATRIX_DATA AS {endless}"),
        "not views",
    );
    let long = "CREATE TABLE MATRIX_DATA (ID integer, row text AS (printf('%0900000000d', ID)), col integer, val float)";
    refused(
        &format!("DROP VIEW MATRIX_DATA; {long}; INSERT INTO MATRIX_DATA VALUES (7, 1, 1)"),
        "no JASPAR database",
    );
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) INSERT INTO MATRIX_DATA SELECT i, 1, 1 FROM n";
    let repeated = "CREATE TABLE MATRIX_DATA (ID integer, row text AS (printf('%060000d', ID)), col integer, val float)";
    refused(
        &format!("DROP TABLE MATRIX_DATA; {repeated}; {many}"),
        "more text than the file",
    );
    database.execute_batch("DROP TABLE MATRIX_DATA").unwrap();
    let message = open(&path).unwrap_err().to_string();
    assert!(
        message.contains("JASPAR.sqlite") && message.contains("no JASPAR database"),
        "{message}"
    );
    drop(database);
    std::fs::write(&path, [sqlite::MAGIC, &[7; 5000]].concat()).unwrap();
    assert!(
        open(&path)
            .unwrap_err()
            .to_string()
            .contains("no JASPAR database")
    );
}
