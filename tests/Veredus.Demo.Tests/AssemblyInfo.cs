// The demos are whole clusters: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
