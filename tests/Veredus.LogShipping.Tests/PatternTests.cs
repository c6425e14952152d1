using FsCheck.Fluent;

namespace Veredus.LogShipping.Tests;

public sealed class PatternTests
{
    private static readonly LogNode s_node = new("mta1", "default");

    [Theory]
    [InlineData("/var/log/%Y/%m/%d/%{l}/%{s}/%{n}", "/var/log/2023/11/14/mainlog/default/mta1")]
    [InlineData("/a/%F_%H%M%S.%j", "/a/2023-11-14_221320.318")]
    [InlineData("/a/%G-W%V-%u %y%%", "/a/2023-W46-2 23%")]
    [InlineData("/a/%D", "/a/11/14/23")]
    [InlineData("/a/%U %W %e %k %l %p %s %z", "/a/46 46 14 22 10 PM 1700000000 +0000")]
    public void A_pattern_names_a_file_by_the_records_own_time(string pattern, string expected) =>
        Assert.Equal(expected, ShippingFixture.Pattern(pattern).Expand(s_node, "mainlog", 1_700_000_000));

    [Theory]
    [InlineData("relative/%{n}", "absolute")]
    [InlineData("/a/../etc/%{n}", "leaves its directory")]
    [InlineData("/a/%Q", "'%Q' is not known")]
    [InlineData("/a/%{x}", "'%{' is not known")]
    [InlineData("/a/%", "'%' is not known")]
    [InlineData("/a/", "names a directory")]
    public void A_wrong_pattern_is_refused_with_what_is_wrong(string pattern, string expected)
    {
        Assert.False(LogPattern.TryParse(pattern, TimeZoneInfo.Utc, out _, out var error));
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("..", "mainlog")]
    [InlineData("mta1", "../../etc/passwd")]
    [InlineData("mta1", "a/b")]
    [InlineData("mta1", "")]
    [InlineData("m\0", "mainlog")]
    public void A_name_from_the_network_cannot_leave_the_patterns_directory(string node, string log) =>
        Assert.Throws<ArgumentException>(() => ShippingFixture.Pattern("/var/log/%{l}/%{n}").Expand(new(node, "default"), log, 0));

    [Fact]
    public void Whatever_the_time_the_file_lies_below_the_patterns_directory() => FsCheck.Check.QuickThrowOnFailure(Prop.ForAll<uint>(second =>
        Path.GetFullPath(ShippingFixture.Pattern("/base/%c/%x/%{l}.%{n}").Expand(s_node, "mainlog", second)).StartsWith("/base/", StringComparison.Ordinal)));

    [Fact]
    public void The_letters_are_those_of_the_chosen_time_zone()
    {
        Assert.True(LogPattern.TryParse("/a/%d-%H", TimeZoneInfo.CreateCustomTimeZone("x", TimeSpan.FromHours(5), "x", "x"), out var pattern, out _));
        Assert.Equal("/a/15-03", pattern.Expand(s_node, "mainlog", 1_700_000_000));
        Assert.Equal("/a", pattern.BaseDirectory);
    }
}
