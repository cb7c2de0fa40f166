//! The loop.

use std::time::Instant;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use fewmark_conv::optim::AdamConfig;

use super::task::{Event, Loss, Observer, Step, Task};
use super::{Checkpoint, Optimizer, Plan, random_of};
use crate::{Error, Run};

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// All iterations were done.
    Finished,
    /// The rule of the task or of the plan for early stopping.
    Early,
    /// The observer broke.
    Stopped,
}

/// The end of a training.
pub struct Trained<M> {
    /// The network after the last step.
    pub network: M,
    /// Steps taken.
    pub iterations: u64,
    /// Time spent in seconds, that before an interruption included.
    pub seconds: f64,
    /// The last loss.
    pub loss: f32,
    /// The best validation score and its iteration.
    pub best: Option<(f64, u64)>,
    /// Why it ended.
    pub reason: StopReason,
}

/// Trains a network.
///
/// With a [`Run`] the training goes on where that run is, and its state is kept there; without, nothing is kept. When `observe`
/// breaks, the training ends after a checkpoint.
///
/// # Errors
/// [`Error::Setting`] for a plan that cannot be, [`Error::NotFinite`] when the loss is not a number, the task's own errors, and
/// those of files in the run's folder.
pub fn train<T: Task>(
    task: &mut T,
    network: T::Net,
    plan: &Plan,
    mut run: Option<&mut Run>,
    observe: &mut Observer<'_>,
) -> Result<Trained<T::Net>, Error> {
    plan.check()?;
    let (mut at, mut network, mut optimizer) = start(network, plan, run.as_deref_mut())?;
    let (begun, before) = (Instant::now(), at.seconds);
    let is_stale = |at: &Checkpoint| plan.patience > 0 && at.stale >= plan.patience;
    // A training that ended early has ended.
    let mut reason = if is_stale(&at) { StopReason::Early } else { StopReason::Finished };
    while at.iteration < plan.iterations && reason == StopReason::Finished {
        let iteration = at.iteration + 1;
        let Loss { total, terms } = task.loss(&network, iteration, &mut random_of(plan.seed, iteration))?;
        let values = finite(&total, &terms, iteration)?;
        let gradients = GradientsParams::from_grads(total.backward(), &network);
        let rate = plan.rate(iteration);
        network = optimizer.step(rate, network, gradients);
        (at.iteration, at.loss, at.seconds) = (iteration, values[0], before + begun.elapsed().as_secs_f64());

        let terms = terms.iter().zip(&values[1..]).map(|((name, _), &value)| ((*name).to_owned(), value)).collect();
        let seconds = at.seconds;
        let step = Event::Step(Step { iteration, of: plan.iterations, rate, loss: at.loss, terms, seconds });
        let mut stop = tell(step, &mut run, observe)?;
        stop |= validated(task, &network, plan, &mut at, &mut run, observe)?;
        if let Some(run) = run.as_deref_mut().filter(|_| plan.shows(iteration)) {
            run.keep_pictures(iteration, task.pictures()?)?;
        }
        let early = task.is_finished() || is_stale(&at);
        let last = iteration == plan.iterations || stop || early;
        let due = plan.checkpoint_every > 0 && iteration.is_multiple_of(plan.checkpoint_every);
        if let Some(run) = run.as_deref_mut().filter(|_| due || last) {
            run.keep_checkpoint(&at, &network, &optimizer)?;
        }
        if early || stop {
            reason = if early { StopReason::Early } else { StopReason::Stopped };
            break;
        }
    }
    let Checkpoint { iteration, seconds, loss, best, .. } = at;
    Ok(Trained { network, iterations: iteration, seconds, loss, best, reason })
}

/// The optimiser of a plan, without state.
fn optimizer(plan: &Plan) -> ModuleOptimizer {
    let clipping = (plan.clip > 0.0).then_some(GradientClippingConfig::Norm(plan.clip as f32));
    match plan.optimizer {
        Optimizer::Adam => {
            let [beta_1, beta_2, epsilon, weight_decay] =
                [plan.beta_1, plan.beta_2, plan.epsilon, plan.weight_decay].map(|number| number as f32);
            let adam = AdamConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(epsilon);
            adam.with_weight_decay(weight_decay).with_grad_clipping(clipping).init()
        }
        Optimizer::Sgd => {
            let momentum = MomentumConfig { momentum: plan.momentum, dampening: 0.0, nesterov: false };
            SgdConfig::new()
                .with_momentum(Some(momentum))
                .with_weight_decay(Some(WeightDecayConfig::new(plan.weight_decay as f32)))
                .with_gradient_clipping(clipping)
                .init()
        }
    }
}

/// A fresh start, or where the run is.
fn start<M: Module>(network: M, plan: &Plan, run: Option<&mut Run>) -> Result<(Checkpoint, M, ModuleOptimizer), Error> {
    let optimizer = optimizer(plan);
    let fresh = Checkpoint::default();
    let Some(run) = run else { return Ok((fresh, network, optimizer)) };
    let (at, network, optimizer) = match run.checkpoint() {
        Some(path) => Checkpoint::read(&path, network, optimizer)?,
        None => (fresh, network, optimizer),
    };
    run.rewind(at.iteration)?;
    Ok((at, network, optimizer))
}

/// The values of a loss and its terms, the loss first.
fn finite(
    total: &burn::tensor::Tensor<1>,
    terms: &[(&'static str, burn::tensor::Tensor<1>)],
    iteration: u64,
) -> Result<Vec<f32>, Error> {
    let value = |x: &burn::tensor::Tensor<1>| x.clone().into_scalar::<f32>();
    // The terms are looked at first: they tell more than their sum.
    let values: Vec<f32> = terms.iter().map(|(_, x)| value(x)).collect();
    if let Some((&(term, _), &value)) = terms.iter().zip(&values).find(|(_, value)| !value.is_finite()) {
        return Err(Error::NotFinite { iteration, term, value });
    }
    match value(total) {
        total if total.is_finite() => Ok([vec![total], values].concat()),
        value => Err(Error::NotFinite { iteration, term: "the sum", value }),
    }
}

/// Tells the run and the observer; whether the latter wants to stop.
fn tell(event: Event, run: &mut Option<&mut Run>, observe: &mut Observer<'_>) -> Result<bool, Error> {
    if let Some(run) = run {
        run.log(&event)?;
    }
    Ok(observe(&event).is_break())
}

/// Validates the network if it is time to, and after the last step; whether the observer wants to stop.
fn validated<T: Task>(
    task: &mut T,
    network: &T::Net,
    plan: &Plan,
    at: &mut Checkpoint,
    run: &mut Option<&mut Run>,
    observe: &mut Observer<'_>,
) -> Result<bool, Error> {
    let due = at.iteration.is_multiple_of(plan.validate_every) || at.iteration == plan.iterations;
    if plan.validate_every == 0 || !due {
        return Ok(false);
    }
    let network = network.valid();
    let Some(validation) = task.validate(&network)? else { return Ok(false) };
    at.stale += 1;
    if at.best.is_none_or(|(best, _)| validation.score > best) {
        (at.best, at.stale) = (Some((validation.score, at.iteration)), 0);
        if let Some(run) = run {
            run.keep_best(&network)?;
        }
    }
    tell(Event::Validation { iteration: at.iteration, validation }, run, observe)
}
