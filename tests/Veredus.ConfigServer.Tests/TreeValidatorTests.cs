using System.Text;

namespace Veredus.ConfigServer.Tests;

public sealed class TreeValidatorTests
{
    [Fact]
    public void Every_node_with_a_directory_of_its_own_is_checked_with_its_files()
    {
        Assert.Empty(Check(("default/veredus.conf", "include \"node-local.conf\"\n"), ("mta01/node-local.conf", "relay_hosts = ( 127.0.0.1 )\n")));
        var findings = Check(("default/veredus.conf", "include \"node-local.conf\"\n"), ("mta01/node-local.conf", "relay_hosts = ( 127.0.0.1 )\n"), ("mta02/other.conf", "# nothing\n"));
        Assert.Contains("node-local.conf", Assert.Single(findings), StringComparison.Ordinal);
        Assert.Contains("no_such_option", Assert.Single(Check(("default/veredus.conf", "no_such_option = 1\n"))), StringComparison.Ordinal);
        Assert.Contains("shared.conf", Assert.Single(Check(("default/veredus.conf", "include \"shared.conf\"\n"), ("global/shared.conf", "no_such_option = 1\n"))), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_text_is_refused_with_its_place()
    {
        var findings = TreeValidator.CheckTree(new Dictionary<string, byte[]> { ["default/veredus.conf"] = [0xff, 0xfe, 0x00] });
        Assert.Contains("not UTF-8", Assert.Single(findings), StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> Check(params (string Path, string Text)[] files) => TreeValidator.CheckTree(files.ToDictionary(file => file.Path, file => Encoding.UTF8.GetBytes(file.Text)));
}
