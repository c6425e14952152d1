namespace Veredus.Demo.Tests;

public sealed class LogJudgeTests
{
    private static readonly string[] Written = ["reception of 1", "delivery of 1", "heartbeat", "reception of 2", "heartbeat", "delivery of 2"];

    [Fact]
    public void What_was_gathered_as_it_was_written_is_whole()
    {
        var finding = LogJudge.Compare(Written, [.. Written]);
        Assert.True(finding.IsWhole);
        Assert.Equal((6, 6, ""), (finding.Written, finding.Gathered, $"{finding}"));
        Assert.True(LogJudge.Compare([], []).IsWhole);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(6)]
    public void A_record_that_is_missing_is_named(int number)
    {
        var finding = LogJudge.Compare(Written, [.. Written.Where((_, index) => index != number - 1)]);
        Assert.False(finding.IsWhole);
        Assert.Equal([number], finding.Missing);
        Assert.Equal($"1 MISSING (record {number})", $"{finding}");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(6)]
    public void A_record_that_came_twice_is_named(int number)
    {
        var finding = LogJudge.Compare(Written, [.. Written[..number], Written[number - 1], .. Written[number..]]);
        Assert.False(finding.IsWhole);
        Assert.Equal([number], finding.Doubled);
        Assert.Equal($"1 TWICE (record {number})", $"{finding}");
    }

    [Fact]
    public void Of_two_records_with_one_text_neither_may_be_missing_nor_come_twice()
    {
        Assert.Equal([5], LogJudge.Compare(Written, [.. Written.Where((_, index) => index != 4)]).Missing);
        Assert.Equal([5], LogJudge.Compare(Written, [.. Written, "heartbeat"]).Doubled);
    }

    [Fact]
    public void A_line_that_nobody_wrote_and_a_wrong_order_are_found()
    {
        Assert.Equal("1 MISSING (record 6), 1 that nobody wrote", $"{LogJudge.Compare(Written, [.. Written[..5], "delivery of"])}");
        Assert.Equal("1 OUT OF ORDER (record 1)", $"{LogJudge.Compare(Written, [Written[1], Written[0], .. Written[2..]])}");
        Assert.Equal("6 MISSING (records 1 2 3 4 5 6)", $"{LogJudge.Compare(Written, [])}");
        Assert.EndsWith("(records 1 2 3 4 5 6 7 8 ...)", $"{LogJudge.Compare([.. Enumerable.Range(1, 9).Select(number => $"{number}")], [])}", StringComparison.Ordinal);
    }
}
