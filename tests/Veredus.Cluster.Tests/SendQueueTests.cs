namespace Veredus.Cluster.Tests;

public sealed class SendQueueTests
{
    [Fact]
    public void It_takes_nothing_before_the_join_and_nothing_stays_after_the_loss()
    {
        var queue = new SendQueue(10);
        Assert.Equal(SendOutcome.NotJoined, queue.Enqueue("a"u8));
        queue.Open();
        Assert.Equal(SendOutcome.Accepted, queue.Enqueue("a"u8));

        queue.Close();
        queue.Open();

        Assert.False(queue.TryPeek(out _, out _, out _));
    }

    [Fact]
    public void A_backlog_is_refused()
    {
        var queue = new SendQueue(2);
        queue.Open();
        Assert.Equal([SendOutcome.Accepted, SendOutcome.Accepted, SendOutcome.Backlog], Enumerable.Range(0, 3).Select(_ => queue.Enqueue("a"u8)));

        var large = new SendQueue(1000);
        large.Open();
        var message = new byte[BusLimits.MaxMessageBytes];
        Assert.Equal([SendOutcome.Accepted, SendOutcome.Accepted, SendOutcome.Backlog], Enumerable.Range(0, 3).Select(_ => large.Enqueue(message)));
    }

    [Fact]
    public void Small_messages_do_not_wait_for_each_other()
    {
        var queue = new SendQueue(10);
        queue.Open();
        queue.Enqueue("a"u8);
        queue.Enqueue("b"u8);

        Assert.Equal(["a", "b"], TakeAll(queue));
    }

    [Fact]
    public void A_large_message_holds_the_next_back_until_it_was_delivered()
    {
        var queue = new SendQueue(10);
        queue.Open();
        queue.Enqueue(new byte[100_000]);
        queue.Enqueue("next"u8);

        Assert.Equal(2, TakeAll(queue).Count);
        queue.Delivered();

        Assert.Equal(["next"], TakeAll(queue));
    }

    [Fact]
    public void An_interrupted_message_starts_over_under_a_new_number()
    {
        var queue = new SendQueue(10);
        queue.Open();
        queue.Enqueue(new byte[150_000]);
        queue.TryPeek(out _, out var before, out _);
        queue.Sent();
        queue.Sent();

        queue.StartOver();

        Assert.True(queue.TryPeek(out _, out var after, out var index));
        Assert.Equal((0, before + 1), (index, after));
    }

    private static List<string> TakeAll(SendQueue queue)
    {
        var taken = new List<string>();
        while (queue.TryPeek(out var message, out _, out var index))
        {
            taken.Add(System.Text.Encoding.UTF8.GetString(MessageParts.Content(message, index)));
            queue.Sent();
        }
        return taken;
    }
}
