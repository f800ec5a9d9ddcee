//! Which motifs of a file are asked about.

use std::collections::{BTreeSet, HashMap};

use super::{Motif, base_and_version};
use crate::error::{Error, Result};

/// What is asked for; what is empty asks for everything. A motif must meet every kind that is
/// given, by any of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Identifiers: `MA0108.3`, or `MA0108` for its latest version in the file.
    pub matrix_ids: Vec<String>,
    /// Names, whatever their case: `TBP`.
    pub names: Vec<String>,
    /// Taxonomic groups: `vertebrates`.
    pub tax_groups: Vec<String>,
    /// Parts of the names of families or classes, whatever their case: `ets` meets `Ets-related`.
    pub families: Vec<String>,
}

impl Selection {
    /// The motifs that are asked for, in their order, and how many were passed over as older
    /// versions: of several versions of a JASPAR matrix the latest is taken, unless another is
    /// asked for by its full identifier.
    ///
    /// # Errors
    /// A value that no motif meets, and values that no motif meets together.
    pub fn choose(&self, motifs: Vec<Motif>) -> Result<(Vec<Motif>, usize)> {
        self.check(&motifs)?;
        let mut latest: HashMap<String, u32> = HashMap::new();
        for (base, version) in motifs.iter().filter_map(Motif::base_and_version) {
            let best = latest.entry(base.to_string()).or_default();
            *best = version.max(*best);
        }
        let is_latest = |motif: &Motif| {
            motif
                .base_and_version()
                .is_none_or(|(base, version)| latest.get(base) == Some(&version))
        };
        let wanted: Vec<Motif> = motifs
            .into_iter()
            .filter(|motif| self.meets(motif))
            .collect();
        let n_wanted = wanted.len();
        let chosen: Vec<Motif> = wanted
            .into_iter()
            .filter(|motif| is_latest(motif) || self.matrix_ids.contains(&motif.id))
            .collect();
        if chosen.is_empty() {
            return Err(Error::Invalid(
                "no motif meets all that --matrix-id, --name, --tax-group and --family ask for"
                    .into(),
            ));
        }
        let older = n_wanted - chosen.len();
        Ok((chosen, older))
    }

    fn meets(&self, motif: &Motif) -> bool {
        let any = |values: &[String], meets: &dyn Fn(&str) -> bool| {
            values.is_empty() || values.iter().any(|value| meets(value))
        };
        any(&self.matrix_ids, &|id| is_id(motif, id))
            && any(&self.names, &|name| motif.name.eq_ignore_ascii_case(name))
            && any(&self.tax_groups, &|group| {
                motif.tax_group.eq_ignore_ascii_case(group)
            })
            && any(&self.families, &|part| in_family(motif, part))
    }

    fn check(&self, motifs: &[Motif]) -> Result<()> {
        let missing = |what: &str, value: &str, known: BTreeSet<&str>| {
            let examples = crate::genome::contig_names::examples(
                known.into_iter().filter(|name| !name.is_empty()),
            );
            let known = if examples.is_empty() {
                "which say nothing of it".to_string()
            } else {
                format!("which have {examples}")
            };
            Err(Error::Invalid(format!(
                "no {what} '{value}' among the {} motifs, {known}",
                motifs.len()
            )))
        };
        if let Some(id) = self
            .matrix_ids
            .iter()
            .find(|id| !motifs.iter().any(|m| is_id(m, id)))
        {
            return missing("matrix", id, motifs.iter().map(|m| m.id.as_str()).collect());
        }
        if let Some(name) = self
            .names
            .iter()
            .find(|name| !motifs.iter().any(|m| m.name.eq_ignore_ascii_case(name)))
        {
            return missing(
                "name",
                name,
                motifs.iter().map(|m| m.name.as_str()).collect(),
            );
        }
        if let Some(group) = self.tax_groups.iter().find(|group| {
            !motifs
                .iter()
                .any(|m| m.tax_group.eq_ignore_ascii_case(group))
        }) {
            return missing(
                "taxonomic group",
                group,
                motifs.iter().map(|m| m.tax_group.as_str()).collect(),
            );
        }
        if let Some(part) = self
            .families
            .iter()
            .find(|part| !motifs.iter().any(|m| in_family(m, part)))
        {
            return missing(
                "family or class",
                part,
                motifs
                    .iter()
                    .flat_map(|m| &m.families)
                    .map(String::as_str)
                    .collect(),
            );
        }
        Ok(())
    }
}

fn is_id(motif: &Motif, id: &str) -> bool {
    motif.id == id || base_and_version(&motif.id).is_some_and(|(base, _)| base == id)
}

fn in_family(motif: &Motif, part: &str) -> bool {
    let part = part.to_lowercase();
    motif
        .families
        .iter()
        .chain(&motif.classes)
        .any(|name| name.to_lowercase().contains(&part))
}

/// Gives motifs that know neither group nor family what `known` says of a matrix with the same
/// identifier, whatever its version: JASPAR's `.jaspar` and `.pfm` files hold counts alone.
pub fn annotate(motifs: &mut [Motif], known: &[Motif]) {
    let by_base: HashMap<&str, &Motif> = known
        .iter()
        .filter_map(|motif| Some((motif.base_and_version()?.0, motif)))
        .collect();
    for motif in motifs.iter_mut().filter(|motif| {
        motif.tax_group.is_empty() && motif.families.is_empty() && motif.classes.is_empty()
    }) {
        if let Some(known) = motif
            .base_and_version()
            .and_then(|(base, _)| by_base.get(base))
        {
            (motif.tax_group, motif.families, motif.classes) = (
                known.tax_group.clone(),
                known.families.clone(),
                known.classes.clone(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motif(id: &str, name: &str, group: &str, family: &str) -> Motif {
        let families = if family.is_empty() {
            Vec::new()
        } else {
            vec![family.to_string()]
        };
        Motif {
            families,
            tax_group: group.into(),
            ..Motif::new(id, name, vec![[1.0; 4]], 20.0).unwrap()
        }
    }

    fn set() -> Vec<Motif> {
        vec![
            motif("MA0001.1", "TBP", "vertebrates", "TBP-related factors"),
            motif("MA0001.2", "TBP", "vertebrates", "TBP-related factors"),
            motif("MA0002.1", "Ets1", "insects", "Ets-related"),
            motif("mine", "mine", "", ""),
        ]
    }

    fn ids(selection: Selection) -> Result<(Vec<String>, usize)> {
        selection
            .choose(set())
            .map(|(motifs, older)| (motifs.into_iter().map(|m| m.id).collect(), older))
    }

    #[test]
    fn the_latest_version_unless_another_is_named() {
        let strings = |values: &[&str]| values.iter().map(|v| v.to_string()).collect::<Vec<_>>();
        let by_id = |values: &[&str]| {
            ids(Selection {
                matrix_ids: strings(values),
                ..Selection::default()
            })
            .unwrap()
        };
        assert_eq!(
            ids(Selection::default()).unwrap(),
            (strings(&["MA0001.2", "MA0002.1", "mine"]), 1)
        );
        assert_eq!(by_id(&["MA0001"]), (strings(&["MA0001.2"]), 1));
        assert_eq!(
            by_id(&["MA0001.1", "mine"]),
            (strings(&["MA0001.1", "mine"]), 0)
        );
        let both = Selection {
            tax_groups: strings(&["Insects"]),
            families: strings(&["ETS"]),
            ..Selection::default()
        };
        assert_eq!(ids(both).unwrap().0, ["MA0002.1"]);
        let none = Selection {
            tax_groups: strings(&["insects"]),
            names: strings(&["tbp"]),
            ..Selection::default()
        };
        assert!(ids(none).unwrap_err().to_string().contains("all that"));
        let unknown = Selection {
            families: strings(&["homeo"]),
            ..Selection::default()
        };
        let message = ids(unknown).unwrap_err().to_string();
        assert!(
            message.contains("'homeo'") && message.contains("Ets-related, TBP-related factors"),
            "{message}"
        );
    }

    #[test]
    fn counts_alone_learn_their_family() {
        let mut motifs = vec![
            motif("MA0002.7", "x", "", ""),
            motif("MA0001.1", "x", "plants", ""),
            motif("other", "x", "", ""),
        ];
        annotate(&mut motifs, &set());
        let seen: Vec<_> = motifs
            .iter()
            .map(|m| (m.tax_group.as_str(), m.families.len()))
            .collect();
        assert_eq!(seen, [("insects", 1), ("plants", 0), ("", 0)]);
    }
}
