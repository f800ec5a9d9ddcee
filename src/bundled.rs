//! The reference set that travels inside the program: fly chromosome 4 (dm6), its RefSeq annotation, and a model trained on such sequence.
//!
//! Embedded, not installed to a data folder: it costs about 9 MB of binary and buys a first run without a download, a path, a cache or a
//! state that could go stale, from any folder and after `cargo install`. Sources and licences: `reference/dm6-chr4/README.md` and the
//! model's card beside it.

use crate::error::Result;
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::model::Checkpoint;

/// One embedded file.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its name, as reports show it.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// D. melanogaster chromosome 4 (`NC_004353.4` of GCF_000001215.4), soft-masked, bgzip FASTA.
pub const GENOME: File = File { name: "bundled:dm6-chr4/chr4.fa.gz", bytes: include_bytes!("../reference/dm6-chr4/chr4.fa.gz") };

/// Its RefSeq annotation (FlyBase release 6.54), gzip GTF.
pub const ANNOTATION: File = File { name: "bundled:dm6-chr4/genes.gtf.gz", bytes: include_bytes!("../reference/dm6-chr4/genes.gtf.gz") };

/// The bundled model, safetensors.
pub const MODEL: File = File { name: "bundled:fly-2m.safetensors", bytes: include_bytes!("../reference/models/fly-2m.safetensors") };

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

#[cfg(test)]
mod tests {
    #[test]
    fn the_bundle_opens_and_fits_together() {
        let genome = super::genome().unwrap();
        assert_eq!((genome.contigs().len(), genome.contigs()[0].length_bp), (1, 1_348_131));
        let annotation = super::annotation().unwrap();
        assert_eq!(annotation.contigs, [genome.contigs()[0].name.clone()]);
        assert_eq!(annotation.genes.len(), 114);
        assert!(super::checkpoint().unwrap().config.layout.stages() > 1);
    }
}
