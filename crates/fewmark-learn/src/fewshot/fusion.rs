//! What several supports find of an object, joined into one answer.

use fewmark_metrics::Confusion;

/// A vote counts e times less where so much less speaks for it. This and the next numbers were chosen with the encoder inside the program on scans of
/// cardiac MRI that are learned from, as was how votes are joined (three labelled slices, ten scans without labels, five folds, on votes that
/// were kept, before brightness is told again: mean Dice x 100 of the labelled scan alone 75.3, joined like this 78.0, as with 6 or 10 in place of
/// 8; with 3 and without a look at what all find 75.7).
const SPREAD: f64 = 8.0;

/// What a vote counts whose answer does not find its way back, where one that comes back whole counts 1 more.
const LOST: f64 = 0.02;

/// How often votes are weighed by how far they agree with what all say together.
const ROUNDS: usize = 4;

/// One of several votes is no surer of a voxel than by such odds, in logarithms, so that one that errs is outvoted.
pub(super) const SUREST: f32 = 4.0;

/// One object in a scan.
#[derive(Clone, Debug)]
pub struct Found {
    /// The probability of each voxel by features, place and brightness.
    pub probability: Vec<f32>,
    /// What lies in the outline.
    pub mask: Vec<bool>,
    /// What speaks for its place: how alike scan and support look in and around it, and the mean odds of its features. 0 where the place does not
    /// count. Of several supports it is that of the best.
    pub agreement: f64,
}

/// What one support finds.
pub(super) struct Vote {
    pub(super) found: Found,
    /// How well what was found, shown as a label, finds what a person labelled, from 0 to 1
    pub(super) returned: f64,
}

/// What votes say together.
pub(super) struct Joined {
    /// The share of them that has each voxel in its outline
    pub(super) share: Vec<f32>,
    /// The mean of the logarithms of their odds
    pub(super) odds: Vec<f32>,
    /// Of the one for which most speaks
    pub(super) agreement: f64,
}

/// What several supports find, each weighed by what speaks for it, by whether it finds its way back, and by how far it is what all find together: by
/// the square of its Dice with that (as selective and iterative estimation of performance: Langerak and others, IEEE TMI 2010). None of no vote.
pub(super) fn joined(votes: Vec<Vote>) -> Option<Joined> {
    let agreement = votes.iter().map(|vote| vote.found.agreement).max_by(f64::total_cmp)?;
    let trust = |vote: &Vote| ((vote.found.agreement - agreement) / SPREAD).exp() * (vote.returned + LOST);
    let trust = normalised(votes.iter().map(trust).collect());
    let mut weights = trust.clone();
    for _ in 0..ROUNDS {
        let together: Vec<bool> = share(&votes, &weights).iter().map(|&share| share > 0.5).collect();
        let agrees = votes.iter().map(|vote| Confusion::between(&vote.found.mask, &together).dice().unwrap_or(0.0));
        let next: Vec<f64> = trust.iter().zip(agrees).map(|(trust, dice)| trust * dice * dice).collect();
        // Where no two agree there is nothing together.
        if next.iter().sum::<f64>() == 0.0 {
            break;
        }
        weights = normalised(next);
    }
    let share = share(&votes, &weights);
    let surest = if votes.len() == 1 { f32::INFINITY } else { SUREST };
    let mut odds = vec![0.0; share.len()];
    for (vote, &weight) in votes.iter().zip(&weights) {
        let of_vote = vote.found.probability.iter().map(|p| (p / (1.0 - p)).ln().clamp(-surest, surest));
        odds.iter_mut().zip(of_vote).for_each(|(mean, odds)| *mean += weight as f32 * odds);
    }
    Some(Joined { share, odds, agreement })
}

/// The share of votes that has each voxel in its outline.
fn share(votes: &[Vote], weights: &[f64]) -> Vec<f32> {
    let mut share = vec![0.0; votes[0].found.mask.len()];
    for (vote, &weight) in votes.iter().zip(weights) {
        let inside = share.iter_mut().zip(&vote.found.mask).filter(|(_, inside)| **inside);
        inside.for_each(|(share, _)| *share += weight as f32);
    }
    share
}

fn normalised(weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(mask: [u8; 3], agreement: f64, returned: f64) -> Vote {
        let probability = mask.map(|inside| if inside == 1 { 0.75 } else { 0.25 }).to_vec();
        Vote { found: Found { probability, mask: mask.map(|inside| inside == 1).to_vec(), agreement }, returned }
    }

    #[test]
    fn one_vote_is_the_answer() {
        let found = joined(vec![vote([1, 0, 1], -2.0, 0.0)]).unwrap();
        assert_eq!((found.share, found.agreement), (vec![1.0, 0.0, 1.0], -2.0));
        assert!(found.odds.iter().zip([3.0_f32, 1.0 / 3.0, 3.0]).all(|(odds, of)| (odds - of.ln()).abs() < 1e-6));
        assert!(joined(Vec::new()).is_none());
    }

    #[test]
    fn votes_count_alike_where_as_much_speaks_for_all_and_they_differ_as_much() {
        let found = joined([[1, 1, 0], [1, 0, 1], [0, 1, 1]].map(|mask| vote(mask, 8.0, 0.7)).into()).unwrap();
        assert!(found.share.iter().all(|share| (share - 2.0 / 3.0).abs() < 1e-6), "{:?}", found.share);
        assert!(found.odds.iter().all(|odds| (odds - 3.0_f32.ln() / 3.0).abs() < 1e-6), "{:?}", found.odds);
        // None of several is so sure that others cannot outvote it.
        let sure = || {
            let mut sure = vote([0, 1, 0], 8.0, 0.7);
            sure.found.probability = vec![0.0, 1.0, 0.5];
            sure
        };
        assert_eq!(joined(vec![sure()]).unwrap().odds, [f32::NEG_INFINITY, f32::INFINITY, 0.0]);
        assert_eq!(joined(vec![sure(), sure()]).unwrap().odds, [-SUREST, SUREST, 0.0]);
    }

    #[test]
    fn what_little_speaks_for_is_outvoted() {
        let of = |returned| {
            let votes = vec![vote([1, 0, 0], 20.0, 0.9), vote([0, 1, 0], 12.0, 0.9), vote([0, 1, 0], 25.0, returned)];
            joined(votes).unwrap()
        };
        let inside = |found: &Joined| found.share.iter().map(|&share| share > 0.5).collect::<Vec<_>>();
        assert_eq!(inside(&of(0.9)), [false, true, false]);
        // However alike scans look: what does not find its way back counts next to nothing.
        assert_eq!(inside(&of(0.0)), [true, false, false]);
        assert_eq!(of(0.0).agreement, 25.0);
    }

    #[test]
    fn what_is_not_what_all_find_counts_less() {
        let found = joined([[1, 1, 0], [1, 1, 0], [0, 1, 1]].map(|mask| vote(mask, 8.0, 0.7)).into()).unwrap();
        // Dice of the third is a half, so it has a quarter of a vote.
        assert!((found.share[2] - 1.0 / 9.0).abs() < 1e-6, "{:?}", found.share);
        // Where no two agree they count as they did.
        let none = joined([[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(|mask| vote(mask, 8.0, 0.7)).into()).unwrap();
        assert!(none.share.iter().all(|share| (share - 1.0 / 3.0).abs() < 1e-6), "{:?}", none.share);
    }
}
