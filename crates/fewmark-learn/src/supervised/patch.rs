//! Patches: what a network sees in a training step.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::augmentation::{Augmentation, Warp};
use super::cases::Example;

/// Patches of one size, of several images.
pub(super) struct Patches {
    /// `[patches, channels, z, y, x]`
    pub(super) samples: Vec<f32>,
    /// `[patches, classes, z, y, x]`, 1 for the class of a voxel; none for voxels outside the image
    pub(super) classes: Vec<f32>,
}

impl Patches {
    /// Draws patches of `size` voxels (x, y, z). A share `foreground` of them is centred on a voxel of a class drawn at random.
    pub(super) fn draw(
        examples: &[Example],
        count: usize,
        size: [usize; 3],
        foreground: f64,
        augmentation: &Augmentation,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let [channels, classes] = [examples[0].image.channels, examples[0].places.len() + 1];
        let voxels: usize = size.iter().product();
        let mut patches =
            Self { samples: vec![0.0; count * channels * voxels], classes: vec![0.0; count * classes * voxels] };
        // Each example once before one comes again.
        let mut left: Vec<usize> = Vec::new();
        let samples = patches.samples.chunks_exact_mut(channels * voxels);
        for (samples, classes) in samples.zip(patches.classes.chunks_exact_mut(classes * voxels)) {
            let on_class = foreground > 0.0 && random.random_bool(foreground);
            let (example, centre) = match on_class.then(|| on_a_class(examples, random)).flatten() {
                Some((example, voxel)) => (example, inside(example, size, Some(voxel), random)),
                None => {
                    if left.is_empty() {
                        left = (0..examples.len()).collect();
                    }
                    let example = &examples[left.swap_remove(random.random_range(0..left.len()))];
                    (example, inside(example, size, None, random))
                }
            };
            let warp = augmentation.warp(size, random);
            cut(example, size, centre, &warp, samples, classes);
            augmentation.vary(samples, channels, random);
        }
        patches
    }
}

/// A voxel of a class that is drawn first, so that rare classes are drawn as often as others.
fn on_a_class<'a>(examples: &'a [Example], random: &mut ChaCha8Rng) -> Option<(&'a Example, [usize; 3])> {
    let class = random.random_range(0..examples[0].places.len());
    let having: Vec<&Example> = examples.iter().filter(|example| !example.places[class].is_empty()).collect();
    if having.is_empty() {
        return None;
    }
    let example = having[random.random_range(0..having.len())];
    let places = &example.places[class];
    let voxel = places[random.random_range(0..places.len())] as usize;
    let [width, height, _] = example.image.size;
    Some((example, [voxel % width, voxel / width % height, voxel / (width * height)]))
}

/// The centre of a patch that reaches beyond the image only where it is larger than the image.
fn inside(example: &Example, size: [usize; 3], on: Option<[usize; 3]>, random: &mut ChaCha8Rng) -> [f64; 3] {
    std::array::from_fn(|a| {
        let (image, patch) = (example.image.size[a], size[a]);
        let Some(room) = image.checked_sub(patch).filter(|&room| room > 0) else {
            return (image as f64 - 1.0) / 2.0;
        };
        let first = match on {
            Some(voxel) => voxel[a].saturating_sub(patch / 2).min(room),
            None => random.random_range(0..=room),
        };
        first as f64 + (patch as f64 - 1.0) / 2.0
    })
}

/// Reads a patch off an image: samples linearly, beyond the image those of its border; the class of the nearest voxel.
fn cut(example: &Example, size: [usize; 3], centre: [f64; 3], warp: &Warp, samples: &mut [f32], classes: &mut [f32]) {
    let image = &example.image;
    let (voxels, area) = (size.iter().product::<usize>(), image.size[0] * image.size[1]);
    // An image of odd size in a patch of even size, or the other way round, lies half a voxel off: it is moved to a voxel.
    let centre: [f64; 3] = std::array::from_fn(|a| {
        let corner = centre[a] - (size[a] as f64 - 1.0) / 2.0;
        centre[a] + corner.floor() - corner
    });
    for voxel in 0..voxels {
        let at = [voxel % size[0], voxel / size[0] % size[1], voxel / (size[0] * size[1])];
        let place = warp.place(at);
        let from: [f64; 3] = std::array::from_fn(|a| centre[a] + place[a]);
        let nearest = from.map(|x| x.round());
        let within = (0..3).all(|a| nearest[a] >= 0.0 && nearest[a] < image.size[a] as f64);
        if within {
            let [x, y, z] = nearest.map(|x| x as usize);
            let class = example.classes[z * area + y * image.size[0] + x];
            classes[usize::from(class) * voxels + voxel] = 1.0;
        }
        let taps: [[(usize, f32); 2]; 3] = std::array::from_fn(|a| {
            let last = image.size[a] - 1;
            let x = from[a].clamp(0.0, last as f64);
            let low = x as usize;
            let high = (x - low as f64) as f32;
            [(low, 1.0 - high), ((low + 1).min(last), high)]
        });
        for (channel, patch) in samples.chunks_exact_mut(voxels).enumerate() {
            let channel = &image.samples[channel * image.voxels()..];
            let mut sum = 0.0;
            for (z, wz) in taps[2] {
                for (y, wy) in taps[1] {
                    for (x, wx) in taps[0] {
                        let weight = wz * wy * wx;
                        if weight != 0.0 {
                            sum += weight * channel[z * area + y * image.size[0] + x];
                        }
                    }
                }
            }
            patch[voxel] = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::Prepared;
    use super::*;
    use crate::random_of;

    fn example(size: [usize; 3], class: impl Fn(usize) -> u8) -> Example {
        let voxels: usize = size.iter().product();
        let samples = (0..2 * voxels).map(|i| i as f32).collect();
        let classes: Vec<u8> = (0..voxels).map(class).collect();
        let places = (1..3).map(|c| (0..voxels as u32).filter(|&v| classes[v as usize] == c).collect()).collect();
        Example { image: Prepared { samples, channels: 2, size }, classes, places }
    }

    #[test]
    fn a_patch_of_the_size_of_the_image_is_the_image() {
        let example = example([5, 4, 3], |v| (v % 3) as u8);
        let patches = Patches::draw(&[example], 2, [5, 4, 3], 0.0, &Augmentation::NONE, &mut random_of(0, 1));
        let expected: Vec<f32> = (0..120).map(|i| i as f32).collect();
        assert_eq!(patches.samples, [expected.clone(), expected].concat());
        for class in 0..3 {
            let expected: Vec<f32> = (0..60).map(|v| f32::from(u8::from(v % 3 == class))).collect();
            assert_eq!(patches.classes[class * 60..(class + 1) * 60], expected);
        }
    }

    #[test]
    fn beyond_the_image_there_is_no_class() {
        let example = example([3, 3, 1], |_| 1);
        let patches = Patches::draw(&[example], 1, [6, 5, 1], 0.0, &Augmentation::NONE, &mut random_of(0, 1));
        let known: Vec<f32> = (0..30).map(|v| (0..3).map(|c| patches.classes[c * 30 + v]).sum()).collect();
        assert_eq!(known.iter().sum::<f32>(), 9.0);
        // The border is repeated.
        assert_eq!(patches.samples[..6], [0.0, 0.0, 0.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn patches_of_a_class_hold_it() {
        let examples = [example([40, 30, 1], |v| if v == 777 { 2 } else { u8::from(v < 40) })];
        for iteration in 1..50 {
            let mut random = random_of(3, iteration);
            let patches = Patches::draw(&examples, 1, [8, 8, 1], 1.0, &Augmentation::NONE, &mut random);
            let seen: Vec<f32> = patches.classes.chunks(64).map(|class| class.iter().sum()).collect();
            assert_eq!(seen.iter().sum::<f32>(), 64.0);
            assert!(seen[1] + seen[2] > 0.0);
        }
    }
}
