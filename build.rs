//! Compiles the CUDA kernels: to PTX with nvcc (feature `cuda`), or as C++ that runs on the CPU
//! (feature `cuda-emulation`). Without either feature it does nothing.

use std::path::{Path, PathBuf};
use std::{env, fmt::Write, fs};

const FOLDER: &str = "src/kernels/cuda";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let (cuda, emulation) = (
        env::var_os("CARGO_FEATURE_CUDA").is_some(),
        env::var_os("CARGO_FEATURE_CUDA_EMULATION").is_some(),
    );
    if !cuda && !emulation {
        return;
    }
    println!("cargo::rerun-if-changed={FOLDER}");
    let sources = sources();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if emulation {
        emulate(&sources, &out);
    }
    if cuda {
        assemble(&sources, &out);
    }
}

/// Every .cu file with the names that it exports.
fn sources() -> Vec<(PathBuf, Vec<String>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(FOLDER)
        .expect(FOLDER)
        .map(|entry| entry.expect(FOLDER).path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "cu"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), exported(&path)))
        .collect()
}

/// Names in lines `EXPORT(name)`.
fn exported(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .filter_map(|line| Some(line.strip_prefix("EXPORT(")?.split_once(')')?.0.to_owned()))
        .collect()
}

#[cfg(feature = "cuda-emulation")]
fn emulate(sources: &[(PathBuf, Vec<String>)], out: &Path) {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .flag("-fno-strict-aliasing")
        .flag("-ffp-contract=off")
        .flag("-Wno-unknown-pragmas");
    build.file(format!("{FOLDER}/emulation.cpp"));
    let (mut declared, mut named) = (String::new(), String::new());
    for (path, names) in sources {
        let stem = path
            .file_stem()
            .expect("a .cu file has a name")
            .to_string_lossy();
        let unit = out.join(format!("{stem}.cpp"));
        let source = fs::canonicalize(path).expect(FOLDER);
        fs::write(&unit, format!("#include \"{}\"\n", source.display()))
            .expect("OUT_DIR can be written");
        build.file(unit);
        for name in names {
            writeln!(
                declared,
                "    fn ldar_emu_{name}(launch: *const u32, shared: usize, reverse: bool, params: *mut *mut c_void, n: usize);"
            )
            .expect("a string grows");
            writeln!(named, "    (\"{name}\", ldar_emu_{name}),").expect("a string grows");
        }
    }
    build.include(FOLDER).compile("ldar_emulated_kernels");
    let table = format!(
        "unsafe extern \"C\" {{\n{declared}}}\n/// Emulated kernels by name.\npub const EMULATED: &[(&str, Entry)] = &[\n{named}];\n"
    );
    fs::write(out.join("emulated.rs"), table).expect("OUT_DIR can be written");
}

#[cfg(not(feature = "cuda-emulation"))]
fn emulate(_: &[(PathBuf, Vec<String>)], _: &Path) {}

/// PTX for compute capability 8.0, which the driver translates for that and all later GPUs.
fn assemble(sources: &[(PathBuf, Vec<String>)], out: &Path) {
    println!("cargo::rerun-if-env-changed=CUDA_HOME");
    let nvcc = env::var_os("CUDA_HOME")
        .map(|home| Path::new(&home).join("bin/nvcc"))
        .filter(|nvcc| nvcc.exists());
    let nvcc = nvcc.unwrap_or_else(|| "nvcc".into());
    let mut table = String::from(
        "/// Kernels by name, with the PTX of the file that holds them.\npub const ASSEMBLED: &[(&str, &str, &str)] = &[\n",
    );
    for (path, names) in sources
        .iter()
        .filter(|(path, _)| !path.ends_with("planted.cu"))
    {
        let stem = path
            .file_stem()
            .expect("a .cu file has a name")
            .to_string_lossy();
        let ptx = out.join(format!("{stem}.ptx"));
        let mut command = std::process::Command::new(&nvcc);
        command
            .args(["--ptx", "--std=c++17", "-O3", "-arch=compute_80", "-o"])
            .arg(&ptx)
            .arg(path);
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => panic!("nvcc could not compile {}: {status}", path.display()),
            Err(e) => panic!(
                "{}: {e}; the cuda feature needs a CUDA toolkit: set CUDA_HOME or put nvcc on PATH",
                nvcc.display()
            ),
        }
        for name in names {
            writeln!(
                table,
                "    (\"{name}\", \"{stem}\", include_str!({:?})),",
                ptx.display().to_string()
            )
            .expect("a string grows");
        }
    }
    fs::write(out.join("assembled.rs"), table + "];\n").expect("OUT_DIR can be written");
}
