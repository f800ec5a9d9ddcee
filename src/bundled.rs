//! The reference set that travels inside the program: fly chromosome 4 (dm6), its RefSeq
//! annotation, and a small model.
//!
//! Embedded, not installed to a data folder: it costs about 9 MB of binary and buys a first run
//! without a download, a path, a cache or a state that could go stale, from any folder and after
//! `cargo install`. Sources and licences: `reference/dm6-chr4/README.md` and the model's card
//! beside it.

use crate::error::Result;
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::model::Checkpoint;
use crate::motifs::Motif;
use crate::motifs::elements::Element;

/// One embedded file.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its name, as reports show it.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// D. melanogaster chromosome 4 (`NC_004353.4` of GCF_000001215.4), soft-masked, bgzip FASTA.
pub const GENOME: File = File {
    name: "bundled:dm6-chr4/chr4.fa.gz",
    bytes: include_bytes!("../reference/dm6-chr4/chr4.fa.gz"),
};

/// Its RefSeq annotation (FlyBase release 6.54), gzip GTF.
pub const ANNOTATION: File = File {
    name: "bundled:dm6-chr4/genes.gtf.gz",
    bytes: include_bytes!("../reference/dm6-chr4/genes.gtf.gz"),
};

/// The bundled model, safetensors.
pub const MODEL: File = File {
    name: "bundled:demo-2m.safetensors",
    bytes: include_bytes!("../reference/models/demo-2m.safetensors"),
};

/// JASPAR 2026 CORE, insects, the latest version of each of 296 matrices: gzip TRANSFAC.
pub const MOTIFS_INSECTS: File = File {
    name: "bundled:jaspar2026-insects",
    bytes: include_bytes!("../reference/motifs/jaspar2026-insects.transfac.gz"),
};

/// JASPAR 2026 CORE, vertebrates, the latest version of each of 1019 matrices: gzip TRANSFAC.
pub const MOTIFS_VERTEBRATES: File = File {
    name: "bundled:jaspar2026-vertebrates",
    bytes: include_bytes!("../reference/motifs/jaspar2026-vertebrates.transfac.gz"),
};

/// Core promoter elements with their sources, TOML.
pub const CORE_PROMOTER: File = File {
    name: "bundled:core-promoter",
    bytes: include_bytes!("../reference/motifs/core-promoter.toml"),
};

/// Tasks of GUE: name; training, validation and test sequences, CSV in gzip. Sources:
/// `reference/tasks/SOURCE.md`.
pub const TASKS: [(&str, [File; 3]); 2] = [
    (
        "mouse_2",
        [
            File {
                name: "bundled:mouse_2/train.csv.gz",
                bytes: include_bytes!("../reference/tasks/mouse_2.train.csv.gz"),
            },
            File {
                name: "bundled:mouse_2/dev.csv.gz",
                bytes: include_bytes!("../reference/tasks/mouse_2.dev.csv.gz"),
            },
            File {
                name: "bundled:mouse_2/test.csv.gz",
                bytes: include_bytes!("../reference/tasks/mouse_2.test.csv.gz"),
            },
        ],
    ),
    (
        "prom_core_tata",
        [
            File {
                name: "bundled:prom_core_tata/train.csv.gz",
                bytes: include_bytes!("../reference/tasks/prom_core_tata.train.csv.gz"),
            },
            File {
                name: "bundled:prom_core_tata/dev.csv.gz",
                bytes: include_bytes!("../reference/tasks/prom_core_tata.dev.csv.gz"),
            },
            File {
                name: "bundled:prom_core_tata/test.csv.gz",
                bytes: include_bytes!("../reference/tasks/prom_core_tata.test.csv.gz"),
            },
        ],
    ),
];

/// Training, validation and test sequences of a task.
pub fn task(name: &str) -> Option<[File; 3]> {
    TASKS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, files)| *files)
}

/// Recipes of `reproduce`: name and TOML.
pub const RECIPES: [(&str, &str); 4] = [
    ("fly-demo", include_str!("../analyses/fly-demo.toml")),
    ("human-slice", include_str!("../analyses/human-slice.toml")),
    ("paper-human", include_str!("../analyses/paper-human.toml")),
    (
        "matched-flops",
        include_str!("../analyses/matched-flops.toml"),
    ),
];

/// The bundled genome.
///
/// # Errors
/// None that a sound build can meet; a test opens it.
pub fn genome() -> Result<Genome> {
    Genome::from_bgzf_bytes(GENOME.name, GENOME.bytes)
}

/// The bundled annotation.
///
/// # Errors
/// As [`genome`].
pub fn annotation() -> Result<Annotation> {
    Annotation::from_gz_bytes(ANNOTATION.name, ANNOTATION.bytes)
}

/// The bundled model.
///
/// # Errors
/// As [`genome`].
pub fn checkpoint() -> Result<Checkpoint> {
    Checkpoint::from_bytes(MODEL.name, MODEL.bytes)
}

/// The motifs of a bundled set.
///
/// # Errors
/// As [`genome`].
pub fn motifs(set: File) -> Result<Vec<Motif>> {
    crate::motifs::read::from_bytes(std::path::Path::new(set.name), set.bytes)
}

/// The core promoter elements.
///
/// # Errors
/// As [`genome`].
pub fn core_promoter() -> Result<Vec<Element>> {
    let text = String::from_utf8_lossy(CORE_PROMOTER.bytes);
    crate::motifs::elements::from_toml(std::path::Path::new(CORE_PROMOTER.name), &text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bundle_opens_and_fits_together() {
        let genome = super::genome().unwrap();
        assert_eq!(
            (genome.contigs().len(), genome.contigs()[0].length_bp),
            (1, 1_348_131)
        );
        let annotation = super::annotation().unwrap();
        assert_eq!(annotation.contigs, [genome.contigs()[0].name.clone()]);
        assert_eq!(annotation.genes.len(), 114);
        assert!(super::checkpoint().unwrap().config.layout.stages() > 1);
        for (set, n, group) in [
            (super::MOTIFS_INSECTS, 296, "insects"),
            (super::MOTIFS_VERTEBRATES, 1019, "vertebrates"),
        ] {
            let motifs = super::motifs(set).unwrap();
            assert_eq!(motifs.len(), n);
            assert!(
                motifs
                    .iter()
                    .all(|motif| motif.tax_group == group && motif.base_and_version().is_some())
            );
            assert!(
                motifs
                    .iter()
                    .filter(|motif| motif.families.is_empty())
                    .count()
                    <= 13
            );
        }
        let elements = super::core_promoter().unwrap();
        assert_eq!(elements.len(), 27);
        assert!(elements.iter().all(|element| !element.source.is_empty()));
        // The A of the initiators is the first transcribed base.
        for element in elements
            .iter()
            .filter(|element| element.motif.id.starts_with("inr"))
        {
            let a = element.motif.counts[(-element.first_base.0) as usize];
            assert!(
                element.first_base.0 == element.first_base.1 && a[0] > 9.0 * (a[1] + a[2] + a[3]),
                "{}",
                element.motif.id
            );
        }
    }
}
