namespace Veredus.Cluster.Tests;

public sealed class InProcessBusTests
{
    [Fact]
    public async Task A_group_of_one_joins_and_hears_itself_in_order()
    {
        await using var bus = new InProcessBus("alone");
        var listener = new BusListener(bus);

        listener.Say("one");
        listener.Say("two");
        await listener.Hears("two");

        Assert.Equal(["[0]", "0: one", "0: two"], listener.Ordered);
        Assert.IsType<GroupEvent.Drained>(await LastAsync(listener));
    }

    [Fact]
    public async Task A_reset_is_a_loss_and_a_join()
    {
        await using var bus = new InProcessBus("alone");
        var listener = new BusListener(bus);

        bus.Reset("asked to");
        listener.Say("after");
        await listener.Hears("after");

        Assert.Equal(["asked to"], listener.Seen.OfType<GroupEvent.Lost>().Select(lost => lost.Reason));
        Assert.Equal(["[0]", "[0]", "0: after"], listener.Ordered);
    }

    [Fact]
    public async Task It_is_drained_only_when_everything_has_been_taken()
    {
        await using var bus = new InProcessBus("alone");
        Assert.False(bus.IsDrained);

        while (bus.Events.TryRead(out _))
        {
        }

        Assert.True(bus.IsDrained);
        bus.Send("x"u8);
        Assert.False(bus.IsDrained);
    }

    [Fact]
    public async Task Nobody_reads_and_the_backlog_is_refused()
    {
        await using var bus = new InProcessBus("alone", maxBacklog: 3);

        Assert.Contains(SendOutcome.Backlog, Enumerable.Range(0, 10).Select(_ => bus.Send("x"u8)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(BusLimits.MaxMessageBytes + 1)]
    public async Task A_size_that_no_message_has_is_a_mistake(int size)
    {
        await using var bus = new InProcessBus("alone");

        Assert.Throws<ArgumentOutOfRangeException>(() => bus.Send(new byte[size]));
    }

    private static async Task<GroupEvent> LastAsync(BusListener listener)
    {
        await listener.Until(seen => seen[^1] is GroupEvent.Drained, "the drained mark");
        return listener.Seen[^1];
    }
}
