using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using Veredus.CommandLine;

namespace Veredus.Commands;

internal static class VersionCommand
{
    /// <summary>e.g. <c>0.1.0</c>, with the commit behind a blank where the build knows it.</summary>
    public static string Version
    {
        get
        {
            var text = typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
            var plus = text.IndexOf('+', StringComparison.Ordinal);
            return plus < 0 ? text : $"{text[..plus]} ({text[(plus + 1)..][..Math.Min(7, text.Length - plus - 1)]})";
        }
    }

    public static Command Build(CliHost host) => CommandTree.Leaf(host, "version", "What this program is", ["veredus version", "veredus version --json"], (call, _) =>
    {
        if (call.IsJson)
            call.Json("veredus.version/1", "", $"{{\"version\":\"{JsonEncodedText.Encode(Version)}\",\"runtime\":\"{JsonEncodedText.Encode(RuntimeInformation.FrameworkDescription)}\"}}");
        else
            call.Out.Line($"veredus {Version}, {RuntimeInformation.FrameworkDescription}");
        return Task.FromResult(ExitCodes.Done);
    });
}
