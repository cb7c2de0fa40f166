//! Partitions of voxels whose parts merge.

use fewmark_grid::Grid;

/// A partition: a forest in which the root of a part is its first voxel.
pub(super) struct Regions {
    /// The voxel above each in its tree; a root is above itself
    above: Vec<u32>,
    /// Voxels of the part of each root
    size: Vec<u32>,
}

impl Regions {
    /// Every voxel alone.
    pub(super) fn new(voxels: usize) -> Self {
        Self { above: (0..voxels as u32).collect(), size: vec![1; voxels] }
    }

    /// Voxels that have the same label and are connected over faces.
    pub(super) fn connected(labels: &[u32], grid: &Grid) -> Self {
        let mut regions = Self::new(labels.len());
        for (a, b) in faces(grid) {
            if labels[a as usize] == labels[b as usize] {
                let (a, b) = (regions.root(a), regions.root(b));
                regions.merge(a, b);
            }
        }
        regions
    }

    /// The root of a voxel's part.
    pub(super) fn root(&mut self, mut voxel: u32) -> u32 {
        while self.above[voxel as usize] != voxel {
            let above = self.above[voxel as usize];
            self.above[voxel as usize] = self.above[above as usize];
            voxel = above;
        }
        voxel
    }

    /// Voxels of the part of a root.
    pub(super) fn size(&self, root: u32) -> u32 {
        self.size[root as usize]
    }

    /// Merges the parts of two roots and returns the root of both.
    pub(super) fn merge(&mut self, a: u32, b: u32) -> u32 {
        let (root, below) = (a.min(b), a.max(b));
        if root != below {
            self.above[below as usize] = root;
            self.size[root as usize] += self.size[below as usize];
        }
        root
    }

    /// Merges every part of less than `least` voxels, the smallest first, with the neighbour of the most similar mean, and numbers the parts.
    pub(super) fn absorb_smaller_than(mut self, least: usize, channels: &[Vec<f64>], grid: &Grid) -> Vec<u32> {
        loop {
            let roots: Vec<u32> = (0..self.above.len() as u32).map(|voxel| self.root(voxel)).collect();
            let mut means = vec![vec![0.0; channels.len()]; roots.len()];
            for (voxel, &root) in roots.iter().enumerate() {
                let share = 1.0 / f64::from(self.size(root));
                means[root as usize]
                    .iter_mut()
                    .zip(channels)
                    .for_each(|(mean, channel)| *mean += share * channel[voxel]);
            }
            // For each small part: how far its most similar neighbour is, and which that is.
            let mut best: std::collections::BTreeMap<u32, (f64, u32)> = std::collections::BTreeMap::new();
            for (a, b) in faces(grid) {
                let (a, b) = (roots[a as usize], roots[b as usize]);
                if a == b {
                    continue;
                }
                let pairs = means[a as usize].iter().zip(&means[b as usize]);
                let apart: f64 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
                for (small, other) in [(a, b), (b, a)] {
                    if (self.size(small) as usize) < least {
                        let found = best.entry(small).or_insert((apart, other));
                        if apart < found.0 {
                            *found = (apart, other);
                        }
                    }
                }
            }
            if best.is_empty() {
                return self.numbered();
            }
            let mut small: Vec<(u32, u32)> = best.into_iter().map(|(small, (_, other))| (small, other)).collect();
            small.sort_by_key(|&(small, _)| (self.size(small), small));
            for (small, other) in small {
                let (small, other) = (self.root(small), self.root(other));
                // One that has grown in this round is looked at again in the next.
                if (self.size(small) as usize) < least {
                    self.merge(small, other);
                }
            }
        }
    }

    /// The number of each voxel's part, in the order of their first voxels.
    pub(super) fn numbered(mut self) -> Vec<u32> {
        let roots: Vec<u32> = (0..self.above.len() as u32).map(|voxel| self.root(voxel)).collect();
        let mut numbers = vec![0; roots.len()];
        let mut next = 0;
        for (voxel, &root) in roots.iter().enumerate() {
            if root as usize == voxel {
                numbers[voxel] = next;
                next += 1;
            }
        }
        roots.into_iter().map(|root| numbers[root as usize]).collect()
    }
}

/// Pairs of voxels that share a face.
fn faces(grid: &Grid) -> impl Iterator<Item = (u32, u32)> {
    let (size, strides) = (grid.size, grid.strides());
    let voxels = grid.len();
    (0..3).flat_map(move |axis| {
        let inside = move |&voxel: &usize| voxel / strides[axis] % size[axis] + 1 < size[axis];
        (0..voxels).filter(inside).map(move |voxel| (voxel as u32, (voxel + strides[axis]) as u32))
    })
}
