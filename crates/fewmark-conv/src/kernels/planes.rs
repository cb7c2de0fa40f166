//! The planes of one channel among those of all images and channels.

/// The planes of a channel, one per image.
pub(super) fn of_channel(x: &[f32], channel: usize, channels: usize, plane: usize) -> impl Iterator<Item = &[f32]> {
    x.chunks_exact(plane).skip(channel).step_by(channels)
}

/// The planes of every channel, one per image, to be written.
pub(super) fn by_channel(y: &mut [f32], channels: usize, plane: usize) -> Vec<Vec<&mut [f32]>> {
    let mut planes: Vec<Vec<_>> = (0..channels).map(|_| Vec::new()).collect();
    for (at, plane) in y.chunks_exact_mut(plane).enumerate() {
        planes[at % channels].push(plane);
    }
    planes
}
