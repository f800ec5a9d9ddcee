//! Sums over the processes of an MPI job.
//!
//! One thread makes all calls of MPI, so that sums go on while the others compute, whatever the
//! library does in the background itself.

use crate::{Error, Result};
use mpi::Threading;
use mpi::collective::{CommunicatorCollectives, SystemOperation};
use mpi::datatype::Equivalence;
use mpi::topology::{Communicator, SimpleCommunicator};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at a sum that is not there yet: the processor has other work.
const PAUSE: Duration = Duration::from_micros(50);

/// Looks without a pause: small sums come at once.
const QUICK_LOOKS: u32 = 50;

type Job = Box<dyn FnOnce(&SimpleCommunicator, &AtomicBool) + Send>;

/// Where a process stands in its job.
pub struct Place {
    /// Its number.
    pub rank: usize,
    /// Of how many.
    pub size: usize,
    /// Its number on its machine.
    pub local: usize,
}

/// The thread that talks to the other processes.
pub struct Wire {
    jobs: Option<Sender<Job>>,
    aborting: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A sum, or largest numbers, to come.
pub struct Reply<T>(Receiver<Vec<T>>);

impl<T> Reply<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn wait(self) -> Result<Vec<T>> {
        self.0.recv().map_err(|_| ended())
    }
}

fn ended() -> Error {
    Error::Invalid("MPI has ended in this process before its work did".into())
}

impl Wire {
    /// Starts MPI.
    ///
    /// # Errors
    /// It was started before in this process, or does not start.
    pub fn open() -> Result<(Wire, Place)> {
        let (jobs, queue) = channel::<Job>();
        let (tell, told) = channel();
        let aborting = Arc::new(AtomicBool::new(false));
        let flag = aborting.clone();
        let thread = std::thread::spawn(move || {
            let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
                return;
            };
            let world = universe.world();
            let here = world.split_shared(world.rank());
            let place = Place {
                rank: world.rank() as usize,
                size: world.size() as usize,
                local: here.rank() as usize,
            };
            if tell.send(place).is_err() {
                return;
            }
            while let Ok(job) = queue.recv() {
                job(&world, &flag);
            }
        });
        let place = told
            .recv()
            .map_err(|_| Error::Invalid("MPI does not start in this process".into()))?;
        let wire = Wire {
            jobs: Some(jobs),
            aborting,
            thread: Some(thread),
        };
        Ok((wire, place))
    }

    /// Sums over the processes, number by number.
    pub fn sum<T: Equivalence + Clone + Default + Send + 'static>(
        &self,
        numbers: Vec<T>,
    ) -> Reply<T> {
        self.start(numbers, SystemOperation::sum)
    }

    /// The largest over the processes, number by number.
    pub fn largest(&self, numbers: Vec<f64>) -> Reply<f64> {
        self.start(numbers, SystemOperation::max)
    }

    fn start<T: Equivalence + Clone + Default + Send + 'static>(
        &self,
        numbers: Vec<T>,
        operation: fn() -> SystemOperation,
    ) -> Reply<T> {
        let (tell, reply) = channel();
        let job: Job = Box::new(move |world, aborting| {
            // Nobody may wait for it any more.
            let _ = tell.send(reduce(world, &numbers, operation(), aborting));
        });
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job); // without the thread, the reply says so
        }
        Reply(reply)
    }

    /// Ends all processes of the job.
    pub fn abort(&self) {
        self.aborting.store(true, Ordering::Relaxed);
        // Where the thread waits for work, work that ends.
        let job: Job = Box::new(|world, _| world.abort(1));
        if let Some(jobs) = &self.jobs
            && jobs.send(job).is_ok()
        {
            std::thread::sleep(Duration::from_secs(10));
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.abort();
        }
        self.jobs = None; // the thread ends its work, and MPI
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn reduce<T: Equivalence + Clone + Default>(
    world: &SimpleCommunicator,
    numbers: &[T],
    operation: SystemOperation,
    aborting: &AtomicBool,
) -> Vec<T> {
    let mut out = vec![T::default(); numbers.len()];
    mpi::request::scope(|scope| {
        let mut request = world.immediate_all_reduce_into(scope, numbers, &mut out[..], operation);
        let mut looks = 0;
        while let Err(unfinished) = request.test() {
            request = unfinished;
            if aborting.load(Ordering::Relaxed) {
                world.abort(1);
            }
            match looks < QUICK_LOOKS {
                true => std::thread::yield_now(),
                false => std::thread::sleep(PAUSE),
            }
            looks += 1;
        }
    });
    out
}
