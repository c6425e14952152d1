// Every test starts processes; three at a time are enough for a small machine.
[assembly: CollectionBehavior(MaxParallelThreads = 3)]
