namespace Veredus.Delivery.Tests.Scheduling;

public sealed class PureRulesTests
{
    [Theory]
    [InlineData(1, 1200)]
    [InlineData(2, 2400)]
    [InlineData(3, 4800)]
    [InlineData(6, 38400)]
    [InlineData(7, 43200)]
    [InlineData(500, 43200)]
    public void The_delay_doubles_up_to_its_bound(int failures, long seconds) =>
        Assert.Equal(seconds, RetrySchedule.DelaySeconds(RetryPolicy.Default, failures));

    [Fact]
    public void Jitter_is_five_percent_and_the_same_for_a_batch()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var i = 0; i < 1000; i++)
        {
            var batch = (ulong)random.NextInt64();
            var at = RetrySchedule.Next(RetryPolicy.Default, 1, 0, 1000, batch).AtUnixMs;
            Assert.True(at is >= 1000 + 1_140_000 and <= 1000 + 1_260_000, $"seed {seed}");
            Assert.Equal(at, RetrySchedule.Next(RetryPolicy.Default, 1, 0, 1000, batch).AtUnixMs);
        }
    }

    [Fact]
    public void The_last_try_comes_at_the_expiry_itself_and_then_it_is_over()
    {
        var policy = RetryPolicy.Default with { ExpirationSeconds = 2000 };
        var second = RetrySchedule.Next(policy, 2, 0, 1_200_000, 1);
        Assert.Equal(2_000_000, second.AtUnixMs);
        Assert.Equal("554 5.4.7 [internal] exceeded max time without delivery", RetrySchedule.Next(policy, 3, 0, 2_000_000, 1).Failure!.ToString());
    }

    [Fact]
    public void The_number_of_retries_counts_retries_not_attempts()
    {
        var policy = RetryPolicy.Default with { MaxRetries = 2 };
        Assert.Null(RetrySchedule.Next(policy, 2, 0, 0, 1).Failure);
        Assert.Equal("554 5.4.7 [internal] exceeded max retries without delivery", RetrySchedule.Next(policy, 3, 0, 0, 1).Failure!.ToString());
        Assert.NotNull(RetrySchedule.Next(RetryPolicy.Default with { NeverRetry = true }, 1, 0, 0, 1).Failure);
    }

    [Fact]
    public void A_token_bucket_lets_a_window_through_and_then_one_at_a_time()
    {
        var rate = new SharedRate("r");
        rate.Change(60, 3);
        Assert.Equal(60, Enumerable.Range(0, 100).Count(_ => rate.TryTake(0)));
        Assert.Equal(50, rate.ReadyAt(0));
        Assert.True(rate.TryTake(50));
        Assert.False(rate.TryTake(99));
        Assert.True(rate.TryTake(100));
    }

    [Fact]
    public void Lower_preference_goes_first_and_equals_share()
    {
        TargetCandidate[] targets = [new(10, false, long.MinValue, false, 3), new(10, false, long.MinValue, false, 1), new(20, false, long.MinValue, false, 0)];
        Assert.Equal(1, TargetChoice.Among(targets, 0, 0).Index);
        targets[0] = targets[0] with { Tried = true };
        targets[1] = targets[1] with { RestsUntil = 100 };
        Assert.Equal(2, TargetChoice.Among(targets, 0, 0).Index);
        targets[2] = targets[2] with { IsFull = true };
        var none = TargetChoice.Among(targets, 0, 0);
        Assert.Equal((-1, 100, 2), (none.Index, none.RestsUntil, none.Full));
    }

    [Fact]
    public void Equal_addresses_take_turns()
    {
        var targets = Enumerable.Repeat(new TargetCandidate(10, false, long.MinValue, false, 0), 4).ToArray();
        Assert.Equal([0, 1, 2, 3, 0], Enumerable.Range(0, 5).Select(turn => TargetChoice.Among(targets, 0, turn).Index));
    }

    [Fact]
    public void The_heap_gives_the_earliest_first_whatever_is_added_moved_and_removed()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var heap = new IndexedHeap<Item>();
        var model = new HashSet<Item>();
        for (var step = 0; step < 20_000; step++)
        {
            switch (random.Next(4))
            {
                case 0 or 1:
                    var added = new Item();
                    heap.Add(added, random.Next(1000));
                    model.Add(added);
                    break;
                case 2 when model.Count > 0:
                    var moved = heap.Items[random.Next(heap.Count)];
                    heap.Set(moved, random.Next(1000));
                    break;
                case 3 when model.Count > 0:
                    var removed = random.Next(2) == 0 ? heap.First! : heap.Items[random.Next(heap.Count)];
                    heap.Remove(removed);
                    model.Remove(removed);
                    break;
            }
            Assert.True(heap.Count == model.Count && (model.Count == 0 || heap.First!.Due == model.Min(item => item.Due)), $"seed {seed}, step {step}");
        }
    }

    private sealed class Item : HeapItem;
}
