//! The course of an analysis: opened, asked of its sources, and left as results or as a shard of
//! them.

use super::answers::{About, Answers, Origin};
use super::left_out::LeftOut;
use super::progress::Bar;
use super::reads::Opened;
use super::results;
use crate::error::Result;
use crate::pipelines::store::Part;
use crate::pipelines::{BoundarySource, Progress};
use crate::report::analysis::Found;
use crate::report::folder::ResultsFolder;
use crate::report::provenance::{Input, Run};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A run before its sources are asked.
pub struct Course {
    pub run: Run,
    pub bar: Bar,
    pub origin: Origin,
    out: PathBuf,
    part: Option<Part>,
    folder: Option<ResultsFolder>,
}

/// What is asked.
pub struct Asked<'a> {
    /// Every parameter.
    pub parameters: Value,
    /// The files, checkpoints among them.
    pub inputs: &'a [Input],
    /// What `run.json` says of the models.
    pub facts: Value,
    /// Bases the first model was given at once in training, where its file says so.
    pub trained_length: Option<usize>,
    /// The models, whose answers are worth keeping, each with what tells it from the others.
    pub models: &'a [(&'a str, &'a dyn BoundarySource)],
}

impl Course {
    /// Starts a run that will leave results, or a shard, in `out`.
    ///
    /// # Errors
    /// A folder `out` that holds anything else.
    pub fn start(origin: Origin, out: &Path, part: Option<Part>) -> Result<Course> {
        let (run, folder, bar) = (origin.start(), results::place(out, part)?, Bar::new());
        bar.show(Progress {
            stage: "opening inputs",
            done: 0,
            total: 1,
        });
        Ok(Course {
            run,
            bar,
            origin,
            out: out.to_path_buf(),
            part,
            folder,
        })
    }

    /// Runs `study` on the one model or track that was opened, as [`Course::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn read<T: Found>(
        self,
        opened: &Opened,
        about: (Value, &[Input]),
        left_out: fn(&T) -> LeftOut,
        study: impl FnOnce(&dyn BoundarySource, &dyn Fn(Progress)) -> Result<T>,
    ) -> Result<()> {
        self.read_beside((opened, None), about, left_out, |source, _, progress| {
            study(source, progress)
        })
    }

    /// The same with an untrained model of a seed beside, where there is one: its answers are kept
    /// too.
    ///
    /// # Errors
    /// As [`Course::finish`].
    pub fn read_beside_untrained<T: Found>(
        self,
        (opened, untrained, seed): (&Opened, Option<&Opened>, u64),
        about: (Value, &[Input]),
        left_out: fn(&T) -> LeftOut,
        study: impl FnOnce(
            &dyn BoundarySource,
            Option<&dyn BoundarySource>,
            &dyn Fn(Progress),
        ) -> Result<T>,
    ) -> Result<()> {
        let name = format!("untrained, seed {seed}");
        match untrained {
            Some(untrained) => untrained.with(0, |source| {
                self.read_beside((opened, Some((&name, source))), about, left_out, study)
            }),
            None => self.read_beside((opened, None), about, left_out, study),
        }
    }

    /// The same with a second model, and what tells it from the first, whose answers are kept too.
    ///
    /// # Errors
    /// As [`Course::finish`].
    fn read_beside<T: Found>(
        mut self,
        (opened, second): (&Opened, Option<(&str, &dyn BoundarySource)>),
        (parameters, inputs): (Value, &[Input]),
        left_out: fn(&T) -> LeftOut,
        study: impl FnOnce(
            &dyn BoundarySource,
            Option<&dyn BoundarySource>,
            &dyn Fn(Progress),
        ) -> Result<T>,
    ) -> Result<()> {
        opened.recorded(&mut self.run);
        opened.with(0, |source| {
            let first = (!matches!(opened, Opened::Signal(_))).then_some(("", source));
            let models: Vec<(&str, &dyn BoundarySource)> =
                first.into_iter().chain(second).collect();
            let (facts, trained_length) = (opened.facts(), opened.trained_length());
            let asked = Asked {
                parameters,
                inputs,
                facts,
                trained_length,
                models: &models,
            };
            self.finish(asked, left_out, |kept, progress| {
                let mut kept = kept.iter().copied();
                let source = first.and_then(|_| kept.next()).unwrap_or(source);
                study(source, kept.next(), progress)
            })
        })
    }

    /// Runs `study` with the models of `asked`, and leaves what it found or, of a part, its
    /// answers.
    ///
    /// # Errors
    /// Those of `study`; nothing that could be used; shards of another run; files that cannot be
    /// read or written.
    pub fn finish<T: Found>(
        self,
        asked: Asked<'_>,
        left_out: fn(&T) -> LeftOut,
        study: impl FnOnce(&[&dyn BoundarySource], &dyn Fn(Progress)) -> Result<T>,
    ) -> Result<()> {
        let Course {
            run,
            bar,
            origin,
            out,
            part,
            folder,
        } = self;
        let Asked {
            parameters,
            inputs,
            facts,
            trained_length,
            models,
        } = asked;
        let about = About {
            analysis: T::NAME,
            parameters,
            inputs,
            stage: 0,
            dtype: &run.dtype,
            device: &run.device,
            trained_length,
            facts: &facts,
        };
        let answers = if models.is_empty() {
            Answers::Direct
        } else {
            Answers::of(origin, &about, &out, part)?
        };
        let found = answers.with_all(models, |models| {
            study(models, &|progress| bar.show(progress))
        })?;
        if answers.is_shard() {
            return answers.leave_shard(&about, &run, &out);
        }
        let left_out = left_out(&found);
        left_out.check()?;
        left_out.line().iter().for_each(|line| bar.note(line));
        let parameters = about.parameters;
        bar.show(Progress {
            stage: "writing results",
            done: 0,
            total: 1,
        });
        results::write(
            folder,
            &out,
            found.bases_read(),
            &found.summary(),
            |folder| {
                found.write_tables(folder)?;
                found.write_beside(folder)?;
                Ok(run.to_json(
                    T::NAME,
                    parameters,
                    inputs,
                    &facts,
                    &bar.finish(),
                    found.outcome(),
                ))
            },
        )?;
        answers.remove()
    }
}
