using Veredus.Node.Moves;
using Veredus.Spool;

namespace Veredus.Node.Tests;

/// <summary>What one node reads of another's XECMMOVE.</summary>
public sealed class MoveTextTests
{
    private static readonly Envelope s_envelope = new()
    {
        Id = MessageId.Parse("10/00-00007-08B31BA6"), BatchId = MessageId.Parse("10/00-00007-08B31BA6"), Received = DateTimeOffset.UnixEpoch.AddSeconds(1790000000), Protocol = "ESMTP",
        Sender = "a@b.test", Recipient = "c@d.test", BindingGroup = "default", Binding = "b1",
    };

    [Fact]
    public void What_this_version_writes_it_reads()
    {
        var text = MoveText.Write(s_envelope, size: 7, Guid.NewGuid(), generation: 1, hops: 0, "mta1", last: null, nextTry: null);
        Assert.NotNull(MoveText.Read(text, out var version, out var problem));
        Assert.Equal((MoveText.CurrentVersion, ""), (version, problem));
    }

    [Theory]
    [InlineData("""{"v":2}""", 2, "version 2; this node speaks version 1")]
    [InlineData("""{"v":2,"transfer":["of","another","shape"],"size":"much"}""", 2, "version 2; this node speaks version 1")]
    [InlineData("""{"transfer":"00000000-0000-0000-0000-000000000001"}""", 0, "version 0")]
    [InlineData("""{"v":"2"}""", 0, "version 0")]
    [InlineData("""{"v":99999999999}""", 0, "version 0")]
    [InlineData("""[1]""", 0, "version 0")]
    [InlineData("""{"v":1,"transfer":["x"]}""", 1, "JSON")]
    [InlineData("""{"v":1}""", 1, "ID that is none")]
    [InlineData("hello", 0, "'h'")]
    [InlineData("", 0, "JSON")]
    public void Another_version_is_told_from_what_is_broken(string text, int version, string problem)
    {
        Assert.Null(MoveText.Read(text, out var found, out var why));
        Assert.Equal(version, found);
        Assert.Contains(problem, why, StringComparison.Ordinal);
    }
}
