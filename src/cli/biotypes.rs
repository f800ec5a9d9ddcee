//! Which genes of an annotation, by biotype: one rule for all commands.

use crate::error::Result;
use crate::genome::annotation::{ALL_BIOTYPES, Annotation};

/// What promoters are of, unless the user says.
const OF_PROMOTERS: &str = "protein_coding";

/// The option.
#[derive(Clone, Debug, clap::Args)]
pub struct Biotypes {
    /// Only genes of these biotypes; `all` for every gene [default: all; for promoters
    /// protein_coding, where the annotation names biotypes]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    biotype: Vec<String>,
}

impl Biotypes {
    /// Those of genes; empty for all.
    pub fn of_genes(&self) -> Vec<String> {
        if self.biotype.iter().any(|name| name == ALL_BIOTYPES) {
            Vec::new()
        } else {
            self.biotype.clone()
        }
    }

    /// Those of genes that have promoters; empty for all.
    pub fn of_promoters(&self, annotation: &Annotation) -> Vec<String> {
        if self.biotype.is_empty() && !annotation.biotypes().is_empty() {
            vec![OF_PROMOTERS.into()]
        } else {
            self.of_genes()
        }
    }

    /// The annotation without the other genes.
    ///
    /// # Errors
    /// A biotype that no gene has.
    pub fn only(&self, mut annotation: Annotation) -> Result<Annotation> {
        let wanted = self.of_genes();
        annotation.check_biotypes(&wanted)?;
        annotation
            .genes
            .retain(|gene| wanted.is_empty() || wanted.contains(&gene.biotype));
        Ok(annotation)
    }
}
