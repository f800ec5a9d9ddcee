//! Training by several processes: the same steps as by one, and a clear end where one fails.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// A tiny model on sequence of its own, and its recipe: one whose router cuts all the time, at a
/// rate at which a cut that rounding moved would show for a while and not for good.
fn recipe(folder: &Path, steps: u64) {
    let mut at = 7_u32;
    let sequence: String = (0..40_000)
        .map(|i| {
            at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let base = if i % 7 < 3 { i % 4 } else { at >> 30 };
            char::from(b"ACGT"[base as usize])
        })
        .collect();
    std::fs::write(folder.join("tiny.fa"), format!(">tiny\n{sequence}\n")).unwrap();
    let text = format!(
        r#"
        seed = 5
        [model]
        arch_layout = ["m1", ["M1"], "m1"]
        d_model = [32, 64]
        d_intermediate = [0, 128]
        ssm_cfg = {{ d_state = 16, d_conv = 4, expand = 2 }}
        [data]
        fasta = ["tiny.fa"]
        length = 64
        reverse_complement = 0.5
        holdout = [0.4, 0.6]
        test = [0.45, 0.55]
        [masking]
        fraction = 0.15
        mask = 0.8
        random = 0.1
        [optimizer]
        alpha = 1.0
        compression = [4.0]
        lr = 1e-4
        betas = [0.9, 0.95]
        eps = 1e-8
        weight_decay = 0.01
        max_grad_norm = 1.0
        schedule = {{ warmup = 0.1, decay = 0.2, floor = 0.05 }}
        [run]
        steps = {steps}
        batch = 16
        micro_batch = 2
        log_every = 1
        validate_every = 10
        validation_windows = 24
        checkpoint_every = 10
        "#
    );
    std::fs::write(folder.join("recipe.toml"), text).unwrap();
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldar-analyze"));
    command.args(["--threads", "1", "train", "recipe.toml"]);
    command
}

#[test]
#[cfg(not(feature = "mpi"))]
fn a_build_without_mpi_does_not_train_the_same_model_many_times() {
    let temp = tempfile::tempdir().unwrap();
    recipe(temp.path(), 2);
    let output = program()
        .args(["--out", "run"])
        .env("OMPI_COMM_WORLD_SIZE", "2")
        .current_dir(temp.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--features mpi"), "{said}");
    assert!(!temp.path().join("run").exists());
}

#[cfg(feature = "mpi")]
mod launched {
    use super::*;
    use std::process::{Child, Output, Stdio};
    use std::time::{Duration, Instant};

    /// `mpirun`, of Open MPI or MPICH, as root and on fewer cores too.
    fn launcher(folder: &Path, ranks: usize, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new("mpirun");
        let program = program();
        command
            .current_dir(folder)
            .args(["-n", &ranks.to_string()])
            .arg(program.get_program())
            .args(program.get_args())
            .args(["--out", out])
            .args(more)
            .stdin(Stdio::null())
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
            .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
            .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe");
        command
    }

    fn launch(folder: &Path, ranks: usize, out: &str, more: &[&str]) -> Output {
        launcher(folder, ranks, out, more).output().unwrap()
    }

    /// The metrics of a run but for its speed.
    fn curve(folder: &Path, out: &str) -> Vec<Vec<f64>> {
        let text = std::fs::read_to_string(folder.join(out).join("metrics.tsv")).unwrap();
        let number = |field: &str| field.parse().unwrap_or(f64::NAN);
        let row = |line: &str| line.split('\t').map(number).take(10).collect();
        text.lines().skip(1).map(row).collect()
    }

    /// The largest difference between two curves in a column.
    fn off(a: &[Vec<f64>], b: &[Vec<f64>], column: usize) -> f64 {
        assert_eq!(a.len(), b.len());
        let differences = a.iter().zip(b).map(|(a, b)| match a[column].is_nan() {
            true => f64::from(u8::from(!b[column].is_nan())),
            false => (a[column] - b[column]).abs(),
        });
        differences.fold(0.0, f64::max)
    }

    fn succeeds(output: &Output) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }

    #[test]
    fn one_two_and_four_ranks_have_the_same_curve() {
        let temp = tempfile::tempdir().unwrap();
        recipe(temp.path(), 50);
        let alone = program()
            .args(["--out", "one"])
            .current_dir(temp.path())
            .output();
        succeeds(&alone.unwrap());
        let one = curve(temp.path(), "one");
        assert_eq!(one.len(), 50);
        assert!(one[0][3] - one[49][3] > 0.05, "it learns nothing");
        for ranks in [1, 2, 4] {
            let out = format!("by-{ranks}");
            let output = launch(temp.path(), ranks, &out, &[]);
            succeeds(&output);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said.matches("training on").count(), 1, "{said}");
            let curve = curve(temp.path(), &out);
            // Steps, bases and rates; losses, gradient norm, held-out loss.
            assert!((0..3).all(|column| off(&one, &curve, column) == 0.0));
            for column in [3, 4, 6, 7] {
                let off = off(&one, &curve, column);
                println!("{ranks} ranks, column {column}: {off:.1e}");
                assert!(off <= 1e-5 + 1e-12, "{ranks} ranks, column {column}: {off}");
            }
            assert!(temp.path().join(&out).join("model.safetensors").exists());
        }
    }

    /// Starts a run of two ranks and waits for its first checkpoint.
    fn begun(folder: &Path, out: &str) -> Child {
        let mut launcher = launcher(folder, 2, out, &[]);
        launcher.stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = launcher.spawn().unwrap();
        let (state, since) = (
            folder.join(out).join("training.safetensors"),
            Instant::now(),
        );
        while !state.exists() {
            assert!(since.elapsed() < Duration::from_secs(60), "no checkpoint");
            std::thread::sleep(Duration::from_millis(1));
        }
        run
    }

    fn signal(process: u32, name: &str) {
        let process = process.to_string();
        let status = Command::new("kill").args([name, &process]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end of a run: whether it succeeded, and all it said.
    fn ended(mut run: Child) -> (bool, String) {
        let since = Instant::now();
        while run.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < Duration::from_secs(60), "it hangs");
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = run.wait_with_output().unwrap();
        let said = [output.stderr, output.stdout].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    #[test]
    fn a_run_that_ends_early_goes_on_with_others() {
        let temp = tempfile::tempdir().unwrap();
        recipe(temp.path(), 400);
        succeeds(&launch(temp.path(), 2, "whole", &[]));
        let whole = curve(temp.path(), "whole");

        let run = begun(temp.path(), "killed");
        let is_second = |process: &u32| variable(*process, "RANK").as_deref() == Some("1");
        let second = ranks_below(run.id()).into_iter().find(is_second).unwrap();
        signal(second, "-KILL");
        let (success, said) = ended(run);
        assert!(!success, "{said}");
        let names_it = said.to_lowercase().contains("killed") || said.contains("signal 9");
        assert!(names_it, "{said}");

        // Asked of one rank, as `mpirun` does of all when it gets the signal.
        let run = begun(temp.path(), "stopped");
        for process in ranks_below(run.id()) {
            if variable(process, "RANK").is_some() {
                signal(process, "-USR1");
                break; // one is enough
            }
        }
        let (success, said) = ended(run);
        assert!(success && said.contains("continue with"), "{said}");

        for (out, ranks) in [("killed", 4), ("stopped", 1)] {
            assert!(!temp.path().join(out).join("model.safetensors").exists());
            succeeds(&launch(temp.path(), ranks, out, &["--resume"]));
            let parts = curve(temp.path(), out);
            assert!((0..3).all(|column| off(&whole, &parts, column) == 0.0));
            // With other windows the losses would be off by a hundredth.
            assert!(off(&whole, &parts, 3) <= 1e-3);
        }
    }

    /// Processes that descend from one.
    fn ranks_below(process: u32) -> Vec<u32> {
        let children = format!("/proc/{process}/task/{process}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let children = children.split_whitespace().map(|id| id.parse().unwrap());
        children
            .flat_map(|child| [vec![child], ranks_below(child)].concat())
            .collect()
    }

    /// A variable of a process that Open MPI or MPICH sets.
    fn variable(process: u32, name: &str) -> Option<String> {
        let all = std::fs::read(format!("/proc/{process}/environ")).ok()?;
        let all = String::from_utf8_lossy(&all).into_owned();
        let names = [format!("OMPI_COMM_WORLD_{name}="), format!("PMI_{name}=")];
        all.split('\0').find_map(|pair| {
            let value = names.iter().find_map(|name| pair.strip_prefix(name))?;
            Some(value.to_string())
        })
    }

    #[test]
    fn what_fails_on_one_rank_ends_all_and_is_said() {
        let temp = tempfile::tempdir().unwrap();
        recipe(temp.path(), 3);
        let output = launch(temp.path(), 9, "run", &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(
            said.contains("has 8 micro-batches, and there are 9 ranks"),
            "{said}"
        );
        // The same folder a second time.
        succeeds(&launch(temp.path(), 2, "run", &[]));
        let output = launch(temp.path(), 2, "run", &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert_eq!(
            said.matches("already holds a training run").count(),
            1,
            "{said}"
        );
    }
}
