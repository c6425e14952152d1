// The command tree's shared options know every tree they are in; trees are made one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
