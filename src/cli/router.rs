//! `--router`: which positions a model keeps, for the commands that run one.

use crate::error::{Error, Result};
use crate::model::checkpoint::Checkpoint;
use crate::model::{Config, Routing};
use serde_json::Value;

/// The option.
#[derive(Clone, Copy, Debug, Default, PartialEq, clap::Args)]
pub struct RouterOption {
    /// How the model chooses the bases it keeps, in place of the way in its configuration: learned;
    /// fixed:N or fixed:N+PHASE (a grid from the start of what is read, N a number from 1);
    /// random:N (each with probability 1/N, by position and sequence); none (all); turned (the
    /// learned cuts, shifted circularly within what is read)
    #[arg(long, value_name = "ROUTER")]
    router: Option<Routing>,
}

impl RouterOption {
    /// The router of this name.
    pub fn parse(text: &str) -> std::result::Result<RouterOption, String> {
        match text.parse() {
            Ok(routing) => Ok(RouterOption {
                router: Some(routing),
            }),
            Err(error) => Err(format!("{error}")),
        }
    }

    /// The one that was asked for.
    pub fn routing(self) -> Option<Routing> {
        self.router
    }

    /// Puts it among the parameters of a run, where one was asked for.
    pub fn note(self, parameters: &mut Value) {
        if let Some(routing) = self.router {
            parameters["router"] = routing.to_string().into();
        }
    }

    /// The configuration as asked for.
    ///
    /// # Errors
    /// A single stack.
    pub fn config(self, config: Config) -> Result<Config> {
        match self.router {
            Some(routing) => config
                .routed(routing)
                .map_err(|e| Error::Usage(e.to_string())),
            None => Ok(config),
        }
    }

    /// The model of a checkpoint as asked for.
    ///
    /// # Errors
    /// The same.
    pub fn checkpoint(self, checkpoint: Checkpoint) -> Result<Checkpoint> {
        Ok(Checkpoint {
            config: self.config(checkpoint.config)?,
            ..checkpoint
        })
    }
}
