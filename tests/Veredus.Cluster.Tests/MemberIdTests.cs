namespace Veredus.Cluster.Tests;

public sealed class MemberIdTests
{
    [Fact]
    public void Members_are_ordered_by_node_then_process()
    {
        MemberId[] members = [new(2, 1), new(1, 900), new(10, 3), new(1, 30)];

        Assert.Equal([new(1, 30), new(1, 900), new(2, 1), new(10, 3)], members.Order());
    }
}
