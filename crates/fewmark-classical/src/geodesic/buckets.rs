//! A priority queue that sorts no finer than it pays.

/// Number of buckets in the window.
const BUCKETS: usize = 4096;

/// Voxels in the order of their distance, up to the width of a bucket.
///
/// The queue is "untidy" (Yatziv, Bartesaghi and Sapiro, *O(N) implementation of the fast marching algorithm*, 2006):
/// within a bucket voxels leave in the order in which they came. A window of equally wide buckets moves along the
/// distances; what lies beyond its end waits in one list. The caller keeps the distances and says which entries still
/// count, so an entry is a bare index and lowering a key means to push the voxel once more.
pub(super) struct Buckets {
    buckets: Vec<Vec<u32>>,
    /// The bucket being emptied, how far it has been emptied, and its number.
    current: Vec<u32>,
    next: usize,
    number: usize,
    beyond: Vec<u32>,
    /// Distance at which the window begins.
    begin: f64,
    width: f64,
    /// `1 / width`.
    per_width: f64,
    /// The width asked for.
    narrowest: f64,
    /// Voxels that left the window so far.
    popped: usize,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self {
            buckets: vec![Vec::new(); BUCKETS],
            current: Vec::new(),
            next: 0,
            number: 0,
            beyond: Vec::new(),
            begin: 0.0,
            width: 1.0,
            per_width: 1.0,
            narrowest: 1.0,
            popped: 0,
        }
    }

    /// Begins anew, with the voxels given and buckets of the given width.
    pub(super) fn restart(&mut self, width: f64, voxels: impl Iterator<Item = u32>) {
        self.current.clear();
        self.next = 0;
        self.number = BUCKETS;
        self.beyond.clear();
        self.beyond.extend(voxels);
        self.narrowest = width;
        self.width = width;
        self.popped = BUCKETS;
    }

    /// Adds a voxel whose distance is `key`.
    #[inline(always)]
    pub(super) fn push(&mut self, voxel: u32, key: f64) {
        // A key below the current bucket (an improvement found late) saturates to it.
        let number = (((key - self.begin) * self.per_width) as usize).max(self.number);
        if number == self.number {
            self.current.push(voxel);
        } else if number < BUCKETS {
            self.buckets[number].push(voxel);
        } else {
            self.beyond.push(voxel);
        }
    }

    /// The next voxel; `key` gives the distance of a voxel whose entry still counts.
    #[inline(always)]
    pub(super) fn pop(&mut self, key: impl Fn(u32) -> Option<f64>) -> Option<u32> {
        while self.next == self.current.len() {
            self.advance(&key)?;
        }
        let voxel = self.current[self.next];
        self.next += 1;
        Some(voxel)
    }

    /// Goes to the next bucket that is not empty, moving the window when there is none.
    #[inline(never)]
    fn advance(&mut self, key: &impl Fn(u32) -> Option<f64>) -> Option<()> {
        self.popped += self.current.len();
        self.current.clear();
        self.next = 0;
        loop {
            let first = (self.number + 1).min(BUCKETS);
            if let Some(step) = self.buckets[first..].iter().position(|bucket| !bucket.is_empty()) {
                self.number = first + step;
                std::mem::swap(&mut self.current, &mut self.buckets[self.number]);
                return Some(());
            }
            self.move_window(key)?;
            if !self.current.is_empty() {
                return Some(());
            }
        }
    }

    /// Begins the window at the least distance that waits beyond its end.
    ///
    /// Buckets that held less than one voxel on average are made wider, so that a wide range of costs does not mean
    /// endless empty buckets; they become narrower again, down to the width asked for, where they fill.
    fn move_window(&mut self, key: &impl Fn(u32) -> Option<f64>) -> Option<()> {
        self.beyond.retain(|&voxel| key(voxel).is_some());
        self.begin = self.beyond.iter().filter_map(|&voxel| key(voxel)).min_by(f64::total_cmp)?;
        self.width = if self.popped < BUCKETS { self.width * 2.0 } else { (self.width / 2.0).max(self.narrowest) };
        self.per_width = 1.0 / self.width;
        self.popped = 0;
        self.number = 0;
        for voxel in std::mem::take(&mut self.beyond) {
            if let Some(key) = key(voxel) {
                self.push(voxel, key);
            }
        }
        Some(())
    }
}
