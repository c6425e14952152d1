using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>Mail follows its address: real nodes, real corosync, mail sent in on any node.</summary>
public sealed class MoveTests(ITestOutputHelper output)
{
    [LabFact]
    public async Task Mail_accepted_on_any_node_leaves_once_from_the_address_of_its_binding()
    {
        await using var lab = await MoveLab.StartAsync();
        for (var node = 1; node <= MoveLab.Size; node++)
            for (var binding = 1; binding <= 3; binding++)
                Assert.Equal(20, await lab.Sender.SendAsync(MoveLab.Host(node), $"d{binding}.test", 20));

        await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
        var arrived = lab.Sink.Arrivals;
        Assert.Equal(180, arrived.Length);
        Assert.All(arrived.GroupBy(one => (one.Number - 1) / 20 % 3), group => Assert.All(group, one => Assert.Equal(MoveLab.Vips[group.Key], one.From)));
        output.WriteLine(await lab.ToolAsync(1, "console", "cluster", "moves"));
    }
}
