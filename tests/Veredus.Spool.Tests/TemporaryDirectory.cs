namespace Veredus.Spool.Tests;

internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("veredus-spool-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
