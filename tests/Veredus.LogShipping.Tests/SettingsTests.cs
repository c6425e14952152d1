using Veredus.Configuration;

namespace Veredus.LogShipping.Tests;

public sealed class SettingsTests
{
    private const string Stanza = """
        logs {
          logfile = "/var/log/a/%{l}/%{n}"
          max_open = 7
          timezone = "UTC"
          node "both" { subscriber = ( "x" ) }
          manager "mgr2" {
            max_open = 9
            node "west1" { subscriber = () }
            node "both" { subscriber = ( "y" "z" ) }
          }
        }
        """;

    [Fact]
    public void A_managers_own_stanza_goes_before_the_common_one()
    {
        var (first, second) = (Read(Stanza, "mgr1"), Read(Stanza, "mgr2"));
        Assert.Equal((7, 9), (first.MaxOpen, second.MaxOpen));
        Assert.Equal("/var/log/a/%{l}/%{n}", second.Logfile.ToString());
        Assert.Equal(["mgr1", "master"], first.SubscribersFor("west1"));
        Assert.Empty(second.SubscribersFor("west1"));
        Assert.Equal(["x"], first.SubscribersFor("both"));
        Assert.Equal(["y", "z"], second.SubscribersFor("both"));
    }

    [Fact]
    public void Without_the_stanza_nothing_is_gathered()
    {
        Assert.Null(LogCollectorSettings.FromConfiguration(Snapshot("hostname = a.example"), "mgr1", out var error));
        Assert.Null(error);
    }

    [Theory]
    [InlineData("""logs { logfile = "/a/../%{n}" }""", "leaves its directory")]
    [InlineData("""logs { logfile = "/a/%{x}" }""", "is not known")]
    [InlineData("""logs { timezone = "Nowhere/Town" }""", "is not a time zone")]
    public void What_is_wrong_is_said(string text, string expected)
    {
        Assert.Null(LogCollectorSettings.FromConfiguration(Snapshot(text), "mgr1", out var error));
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    private static LogCollectorSettings Read(string text, string manager) => LogCollectorSettings.FromConfiguration(Snapshot(text), manager, out var error) ?? throw new ArgumentException(error);

    private static ConfigurationSnapshot Snapshot(string text) => ConfigurationSnapshot.Parse(text).Snapshot!;
}
