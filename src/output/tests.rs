use super::*;
use std::time::SystemTime;

fn is_nobodys(_: &Path) -> bool {
    false
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/table.tsv");
    write_atomic(&path, |file| file.write_all(b"old")).unwrap();
    write_atomic(&path, |file| {
        file.write_all(b"half")
            .and(Err(std::io::Error::other("stop")))
    })
    .unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let _ = write_atomic(&path, |file| file.write_all(b"text"));
    assert!(std::fs::metadata(&path).unwrap().file_type().is_socket());
    check_file(&path, &[], is_nobodys).unwrap();
}

#[test]
#[cfg(unix)]
fn inputs_are_known_by_any_path_and_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("r.bed"), "chr1\t1\t2\n").unwrap();
    std::fs::hard_link(at("r.bed"), at("hard")).unwrap();
    std::os::unix::fs::symlink("r.bed", at("soft")).unwrap();
    std::fs::create_dir(at("x")).unwrap();
    for output in ["r.bed", "x/../r.bed", "hard", "soft"] {
        for input in ["r.bed", "hard", "soft"] {
            let error = check_file(&at(output), &[&at("other"), &at(input)], |_| true).unwrap_err();
            assert!(
                matches!(&error, Error::Usage(message) if message.contains("overwrite the input")),
                "{output} {input}: {error}"
            );
        }
    }
}

#[test]
#[cfg(unix)]
fn only_what_is_ours_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("theirs"), "notes").unwrap();
    std::fs::write(at("ours"), "header").unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::os::unix::fs::symlink("theirs", at("link to theirs")).unwrap();
    std::os::unix::fs::symlink("ours", at("link to ours")).unwrap();
    std::os::unix::fs::symlink("nothing", at("link to nothing")).unwrap();
    let check = |name: &str| {
        check_file(&at(name), &[], |path| {
            std::fs::read(path).unwrap() == b"header"
        })
        .map_err(|e| e.to_string())
    };
    for name in ["ours", "empty", "link to ours", "new", "new/er"] {
        check(name).unwrap();
    }
    for (name, part) in [
        ("theirs", "tells"),
        ("link to theirs", "tells"),
        ("link to nothing", "what is not there"),
        ("", "folder"),
    ] {
        assert!(check(name).unwrap_err().contains(part), "{name}");
    }
    // Written through a link, the file changes and the link stays.
    write_atomic(&at("link to ours"), |file| file.write_all(b"header 2")).unwrap();
    assert!(at("link to ours").is_symlink() && std::fs::read(at("ours")).unwrap() == b"header 2");
    let mut protected = std::fs::metadata(at("empty")).unwrap().permissions();
    protected.set_readonly(true);
    std::fs::set_permissions(at("empty"), protected).unwrap();
    assert!(check("empty").unwrap_err().contains("write-protected"));
}

#[test]
fn folders_that_are_lived_in_are_refused() {
    let home = std::env::home_dir().unwrap_or("/".into());
    for path in [
        Path::new("/"),
        Path::new("."),
        Path::new(".."),
        Path::new("no-such/.."),
        home.as_path(),
    ] {
        assert!(
            check_folder(path)
                .unwrap_err()
                .to_string()
                .contains("choose a folder inside it"),
            "{}",
            path.display()
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let place = check_folder(&folder.path().join("a/b")).unwrap();
    assert!(place.ends_with("a/b") && !place.parent().unwrap().exists());
}

#[test]
#[cfg(unix)]
fn the_mask_of_the_user_holds() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = folder.path().join("ours");
    write_atomic(&path, |file| file.write_all(b"x")).unwrap();
    assert_eq!(mode(&path), mode(&plain));
    let made = folder.path().join("made");
    std::fs::create_dir(&made).unwrap();
    assert_eq!(
        mode(PendingFolder::new_in(folder.path()).unwrap().path()),
        mode(&made)
    );
}

#[test]
fn what_killed_runs_left_is_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let long_ago = SystemTime::now() - 2 * STALE;
    let age = |path: &Path| File::open(path).unwrap().set_modified(long_ago).unwrap();
    std::fs::write(at(".ldar-analyze-old"), "x").unwrap();
    std::fs::create_dir(at(".ldar-analyze-old-folder")).unwrap();
    std::fs::write(at(".ldar-analyze-old-folder/x"), "x").unwrap();
    std::fs::write(at(".ldar-analyze-new"), "x").unwrap();
    std::fs::write(at("mine"), "x").unwrap();
    for name in [".ldar-analyze-old", ".ldar-analyze-old-folder", "mine"] {
        age(&at(name));
    }
    // Those of a living process are locked, however old.
    let file = Pending::new(&at("file")).unwrap();
    let pending = PendingFolder::new_in(folder.path()).unwrap();
    age(file.temporary());
    age(pending.path());
    check_file(&at("out"), &[], is_nobodys).unwrap();
    let mut left: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut expected = vec![
        name(file.temporary()),
        name(pending.path()),
        ".ldar-analyze-new".to_string(),
        "mine".to_string(),
    ];
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn a_folder_takes_the_place_of_a_former_one() {
    let parent = tempfile::tempdir().unwrap();
    let place = parent.path().join("out");
    for text in ["first", "second"] {
        let fresh = PendingFolder::new_in(parent.path()).unwrap();
        std::fs::write(fresh.path().join("x"), text).unwrap();
        fresh.keep(&place).unwrap();
        assert_eq!(std::fs::read_to_string(place.join("x")).unwrap(), text);
        assert_eq!(
            std::fs::read_dir(parent.path()).unwrap().count(),
            1,
            "nothing else is left"
        );
    }
    replace_folder(&parent.path().join("none"), &place).unwrap_err();
    assert_eq!(std::fs::read_to_string(place.join("x")).unwrap(), "second");
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn what_is_being_written_does_not_fill_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!holds_something(&folder.path().join("missing")));
    let file = folder.path().join("run.json");
    write_atomic(&file, |to| {
        assert!(!holds_something(folder.path()));
        to.write_all(b"{}")
    })
    .unwrap();
    assert!(holds_something(folder.path()));
}
