//! Sites to controls, family by family: once over the genome for weight matrices, once for the
//! covariates of all candidates, once to match.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::discrimination::Sets;
use super::{ComparisonRequest, ContigReader, Study};
use crate::controls::balance::Census;
use crate::controls::family::{CALIPER_SD, CandidateSource};
use crate::controls::matching::Metric;
use crate::controls::seek::{Given, Seeker};
use crate::controls::strength::{LetterCounts, WeightMatrix};
use crate::controls::{Area, Control, Covariates, Family, Found, Ground, Side, Wanted};
use crate::error::Result;
use crate::genome::{Interval, Strand, merge_intervals};
use crate::pipelines::Progress;
use crate::stats::rng::Rng;

/// Folds of clusters, where one contig holds most sites.
pub(super) const FOLDS: usize = 5;

/// The fold of a cluster.
pub(super) fn fold(cluster: usize) -> usize {
    cluster % FOLDS
}

/// What matching gave.
pub struct Matched {
    /// One a family, in the order asked: the sites by index into [`Study::sites`].
    pub(super) found: Vec<BTreeMap<usize, Found>>,
    /// One a family and kind: moments before and after.
    pub(super) census: Vec<Vec<Census>>,
    /// Decoys to tell sites from.
    pub(super) sets: Sets,
}

impl Matched {
    pub(super) fn new(
        study: &Study<'_>,
        contigs: &mut ContigReader<'_>,
        request: &ComparisonRequest,
        rng: &Rng,
        progress: &dyn Fn(Progress),
    ) -> Result<Matched> {
        let families = &request.controls.families;
        let matrices = Matrices::fit(study, contigs)?;
        let used: BTreeSet<usize> = study.sites.iter().map(|site| site.contig).collect();
        let total = 2 * used.len() as u64;
        let sources: BTreeSet<CandidateSource> =
            families.iter().map(|family| family.source()).collect();
        let kinds = 0..study.kinds.len();
        let mut census: BTreeMap<(CandidateSource, usize), Census> = sources
            .iter()
            .flat_map(|source| {
                kinds
                    .clone()
                    .map(|kind| ((*source, kind), Census::default()))
            })
            .collect();
        let mut done = 0;
        for contig in &used {
            progress(Progress {
                stage: "matching controls",
                done,
                total,
            });
            done += 1;
            on_each_ground(
                study,
                contigs,
                *contig,
                &matrices,
                request,
                rng,
                &mut |kind, seeker| {
                    census
                        .par_iter_mut()
                        .filter(|((_, of), _)| *of == kind)
                        .for_each(|((source, _), census)| seeker.survey(*source, census));
                },
            )?;
        }
        let empty = Census::default();
        let of =
            |family: Family, kind: usize| census.get(&(family.source(), kind)).unwrap_or(&empty);
        let metrics: Vec<Vec<Metric>> = families
            .iter()
            .map(|f| {
                (0..study.kinds.len())
                    .map(|kind| f.metric(of(*f, kind), &request.controls))
                    .collect()
            })
            .collect();
        let mut matched = Matched {
            found: vec![BTreeMap::new(); families.len()],
            census: families
                .iter()
                .map(|f| {
                    (0..study.kinds.len())
                        .map(|kind| of(*f, kind).clone())
                        .collect()
                })
                .collect(),
            sets: Sets::new(study, request, rng),
        };
        let spread = |kind: usize| {
            families.first().map_or(f64::NAN, |family| {
                of(*family, kind).balance.sites.variance(5).sqrt()
            })
        };
        for contig in &used {
            progress(Progress {
                stage: "matching controls",
                done,
                total,
            });
            done += 1;
            on_each_ground(
                study,
                contigs,
                *contig,
                &matrices,
                request,
                rng,
                &mut |kind, seeker| {
                    matched.sets.seek(kind, seeker, CALIPER_SD * spread(kind));
                    let found: Vec<Vec<Found>> = families
                        .par_iter()
                        .zip(&metrics)
                        .map(|(family, of)| seeker.find(*family, &of[kind]))
                        .collect();
                    for (index, found) in found.into_iter().enumerate() {
                        for found in found {
                            let balance = &mut matched.census[index][kind].balance;
                            let compared = found
                                .kmer
                                .is_none_or(|width| width == request.controls.kmer);
                            if let Some((site, control)) =
                                pair(&found, request.negative_control).filter(|_| compared)
                            {
                                balance.paired_sites.push(&site);
                                balance.controls.push(&control);
                            }
                            matched.found[index].insert(found.site, found);
                        }
                    }
                },
            )?;
        }
        Ok(matched)
    }

    /// Whether a site is paired in a family.
    pub fn is_paired(&self, family: usize, site: usize, negative_control: bool) -> bool {
        self.found[family]
            .get(&site)
            .is_some_and(|found| pair(found, negative_control).is_some())
    }
}

/// The covariates of a pair: those of several controls are averaged, as their values will be.
fn pair(found: &Found, negative_control: bool) -> Option<(Covariates, Covariates)> {
    let controls = found.controls.as_ref().ok()?;
    match negative_control {
        false => Some((found.covariates, mean_covariates(controls))),
        true => (!found.second.is_empty())
            .then(|| (mean_covariates(&found.second), mean_covariates(controls))),
    }
}

/// The mean covariates of some controls.
pub(super) fn mean_covariates(controls: &[Control]) -> Covariates {
    Covariates::mean(&controls.iter().map(|c| c.covariates).collect::<Vec<_>>())
}

/// Weight matrices fitted on other contigs or other folds than those they score.
struct Matrices {
    /// By kind and part: all other parts' sites.
    by_part: Vec<Vec<Option<WeightMatrix>>>,
    by_contig: Vec<bool>,
}

impl Matrices {
    /// A kind with no more than half of its sites on any one contig is fitted on the other contigs,
    /// else on the other folds of clusters.
    fn fit(study: &Study<'_>, contigs: &mut ContigReader<'_>) -> Result<Matrices> {
        let n_contigs = study.genome.contigs().len();
        let of_kind = |kind: usize| {
            study
                .references
                .iter()
                .filter(move |site| site.kind == kind)
        };
        let by_contig: Vec<bool> = (0..study.kinds.len())
            .map(|kind| {
                let mut counts = vec![0; n_contigs];
                of_kind(kind).for_each(|site| counts[site.contig] += 1);
                2 * counts.iter().max().copied().unwrap_or(0) <= counts.iter().sum::<usize>()
            })
            .collect();
        let parts = |kind: usize| if by_contig[kind] { n_contigs } else { FOLDS };
        let mut counts: Vec<Vec<LetterCounts>> = (study.kinds.iter().enumerate())
            .map(|(kind, k)| {
                k.span
                    .map_or_else(Vec::new, |span| vec![LetterCounts::new(span); parts(kind)])
            })
            .collect();
        let mut letters = [0.0f64; 4];
        for sites in study
            .references
            .chunk_by(|a, b| a.contig == b.contig)
            .filter(|_| study.kinds.iter().any(|kind| kind.span.is_some()))
        {
            let (sequence, _) = contigs.letters(sites[0].contig)?;
            for base in sequence {
                if let Some(letter) = b"ACGT".iter().position(|b| *b == base.to_ascii_uppercase()) {
                    letters[letter] += 1.0;
                }
            }
            for site in sites {
                let part = if by_contig[site.kind] {
                    site.contig
                } else {
                    fold(site.cluster)
                };
                if let Some(counts) = counts[site.kind].get_mut(part) {
                    counts.add(sequence, site.strand, site.position);
                }
            }
        }
        // Both strands alike: A as T, C as G.
        let total = letters.iter().sum::<f64>().max(1.0);
        let [at, gc] = [letters[0] + letters[3], letters[1] + letters[2]]
            .map(|n| (n / total / 2.0).clamp(0.01, 0.49));
        let by_part = counts
            .into_iter()
            .map(|parts| {
                let Some(first) = parts.first() else {
                    return Vec::new();
                };
                let mut all = first.clone();
                parts[1..].iter().for_each(|part| all.merge(part));
                parts
                    .iter()
                    .map(|part| all.without(part).matrix([at, gc, gc, at]))
                    .collect()
            })
            .collect();
        Ok(Matrices { by_part, by_contig })
    }

    fn of(&self, kind: usize, contig: usize, cluster: usize) -> Option<&WeightMatrix> {
        let part = if self.by_contig[kind] {
            contig
        } else {
            fold(cluster)
        };
        self.by_part[kind].get(part)?.as_ref()
    }
}

/// Shows `visit` the sites of each kind and strand of one contig, ready to be matched.
fn on_each_ground(
    study: &Study<'_>,
    contigs: &mut ContigReader<'_>,
    contig: usize,
    matrices: &Matrices,
    request: &ComparisonRequest,
    rng: &Rng,
    visit: &mut dyn FnMut(usize, &Seeker<'_>),
) -> Result<()> {
    let (sequence, missing) = contigs.letters(contig)?;
    let none = BTreeSet::new();
    let name = study
        .genome
        .contigs()
        .get(contig)
        .map_or("", |c| c.name.as_str());
    let from = study.sites.partition_point(|site| site.contig < contig);
    let to = study.sites.partition_point(|site| site.contig <= contig);
    for (kind, about) in study.kinds.iter().enumerate() {
        for strand in [Strand::Plus, Strand::Minus] {
            let mut wanted: BTreeMap<usize, Vec<Wanted>> = BTreeMap::new();
            for (index, site) in study.sites[from..to]
                .iter()
                .enumerate()
                .filter(|(_, s)| (s.kind, s.strand) == (kind, strand))
            {
                let of_cluster = wanted.entry(site.cluster).or_default();
                of_cluster.push(Wanted {
                    site: from + index,
                    position: site.position,
                    genes: site.genes.clone(),
                });
            }
            let ground = Ground {
                sequence,
                contig: name,
                strand,
                kind: about.name,
                core: about.core.clone(),
                annotated: study.annotated.get(&(contig, strand)).unwrap_or(&none),
                radius_bp: request.radius_bp(),
                missing,
                read_bp: request.read_bp(strand),
            };
            let areas: Vec<Area<'_>> = (wanted.into_par_iter())
                .map(|(cluster, wanted)| {
                    let places = places(study, cluster, strand, &wanted, request.controls.side);
                    Area::new(
                        &ground,
                        cluster,
                        wanted,
                        places,
                        matrices.of(kind, contig, cluster),
                        &request.controls,
                    )
                })
                .collect();
            let given = given(study, contig, strand);
            let second = request.negative_control;
            visit(
                kind,
                &Seeker {
                    ground: &ground,
                    areas: &areas,
                    request: &request.controls,
                    second,
                    given: &given,
                    rng,
                },
            );
        }
    }
    Ok(())
}

/// Where controls may lie, if not anywhere in the genes.
fn places(
    study: &Study<'_>,
    cluster: usize,
    strand: Strand,
    wanted: &[Wanted],
    side: Side,
) -> Option<Vec<Interval>> {
    let exons = study
        .exons
        .get(&(cluster, strand))
        .cloned()
        .unwrap_or_default();
    match side {
        Side::Any => None,
        Side::Exon => Some(exons),
        Side::Intron => {
            let mut genes: Vec<Interval> = wanted
                .iter()
                .flat_map(|w| w.genes.iter().copied())
                .collect();
            merge_intervals(&mut genes);
            let mut introns = Vec::new();
            for gene in genes {
                let mut from = gene.start;
                for exon in exons.iter().filter(|exon| exon.overlaps(&gene)) {
                    introns.push(Interval::new(from, exon.start.max(from)));
                    from = from.max(exon.end);
                }
                introns.push(Interval::new(from, gene.end.max(from)));
            }
            introns.retain(|intron| intron.len_bp() > 1);
            Some(introns)
        }
    }
}

/// The user's controls on one strand of one contig: those named after a site of it, and the others.
fn given(study: &Study<'_>, contig: usize, strand: Strand) -> Given {
    let name = study
        .genome
        .contigs()
        .get(contig)
        .map_or("", |c| c.name.as_str());
    let mut given = Given::default();
    for record in study.given.get(&(contig, strand)).into_iter().flatten() {
        let position = record.upstream_end(strand);
        let named = record
            .name
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|rest| rest.split_once(':'));
        match named
            .filter(|(_, of)| *of == strand.to_string())
            .and_then(|(position, _)| position.parse().ok())
        {
            Some(site) => given.paired.entry(site).or_default().push(position),
            None => given.free.push(position),
        }
    }
    given.free.sort_unstable();
    given.free.dedup();
    given
}
