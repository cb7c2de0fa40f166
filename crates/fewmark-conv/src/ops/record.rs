//! What an operation with a gradient written by hand tells Burn's autodiff.

use burn::backend::{
    Autodiff, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn_flex::FlexTensor;

use super::flex::{contiguous, recycle};

/// What an operation of `N` tensors keeps for its gradient.
pub(super) trait Saved<const N: usize>: Clone + std::fmt::Debug + Send + 'static {
    /// The gradients to the arguments that are wanted, from that to the result, which is contiguous.
    fn gradients(self, dy: FlexTensor, wanted: [bool; N]) -> [Option<FlexTensor>; N];
}

/// Runs an operation on its arguments and records it if one of them has a gradient.
///
/// `run` also learns which of them have one.
pub(super) fn record<C: CheckpointStrategy, S: Saved<N>, const N: usize>(
    arguments: [FloatTensor<Autodiff<Flex, C>>; N],
    run: impl FnOnce([FlexTensor; N], [bool; N]) -> (FlexTensor, S),
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = arguments.each_ref().map(|argument| argument.node());
    let tracked = arguments.each_ref().map(|argument| argument.is_tracked());
    let (y, saved) = run(arguments.map(|argument| argument.into_primitive()), tracked);
    match Recorded(std::marker::PhantomData::<S>).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(saved, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Recorded<S>(std::marker::PhantomData<S>);

impl<S: Saved<N>, const N: usize> Backward<Flex, N> for Recorded<S> {
    type State = S;

    fn backward(self, ops: Ops<S, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = ops.state.gradients(dy, wanted);
        for (parent, gradient) in ops.parents.iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                // While it is held twice, Burn adds it to a gradient that is there already, and it can be used again.
                let held = gradient.clone();
                grads.register::<Flex>(parent.id, gradient);
                recycle([held]);
            }
        }
    }
}
